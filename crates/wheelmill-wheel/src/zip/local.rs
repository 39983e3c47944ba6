//! Holds each entry's own header against the central directory, and sees to it that the entries
//! fill the archive without gap or overlap.

use super::Refusal;
use super::entry::{Entry, Extra, Method};
use super::fields::Fields;
use super::source::Source;
use crate::finding::Findings;
use crate::rules;

const HEADER: u64 = 30;

/// Checks all local headers, sets each entry's data offset, and marks entries unreadable whose
/// header is not to be trusted.
pub(super) fn check(
    source: &dyn Source,
    entries: &mut [Entry],
    directory_offset: u64,
    findings: &mut Findings,
) -> Result<(), Refusal> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|index| entries[*index].header_offset);
    let mut reached = 0_u64;
    for (position, index) in order.iter().enumerate() {
        let next =
            order.get(position + 1).map_or(directory_offset, |next| entries[*next].header_offset);
        let entry = &mut entries[*index];
        if entry.header_offset > reached {
            let rule = if position == 0 { rules::ZIP_PREFIX } else { rules::ZIP_GAP };
            findings.add(rule, place(entry, entry.header_offset - reached));
        } else if entry.header_offset < reached {
            findings.add(rules::ZIP_OVERLAP, entry.name.clone());
            entry.readable = false;
        }
        let Some(header) = read(source, entry)? else {
            findings.add(rules::ZIP_LOCAL_HEADER, format!("{}: there is no header", entry.name));
            entry.readable = false;
            reached = reached.max(next);
            continue;
        };
        for difference in header.differences(entry) {
            findings.add(rules::ZIP_LOCAL_HEADER, format!("{}: {difference}", entry.name));
            entry.readable = false;
        }
        entry.data_offset = entry.header_offset + header.length;
        let data_end = entry.data_offset.checked_add(entry.packed_size);
        let Some(data_end) = data_end.filter(|end| *end <= directory_offset) else {
            findings.add(rules::ZIP_OVERLAP, format!("{}: reaches into the directory", entry.name));
            entry.readable = false;
            reached = directory_offset;
            continue;
        };
        reached = reached.max(data_end);
        if entry.flags & Entry::DESCRIPTOR != 0 {
            match descriptor(source, entry, data_end, next)? {
                Some(length) => reached = reached.max(data_end + length),
                None => {
                    findings.add(rules::ZIP_DESCRIPTOR, entry.name.clone());
                    reached = reached.max(next);
                }
            }
        }
    }
    if reached < directory_offset {
        let bytes = directory_offset - reached;
        findings.add(rules::ZIP_GAP, format!("{bytes} bytes before the directory"));
    }
    Ok(())
}

fn place(entry: &Entry, bytes: u64) -> String {
    format!("{bytes} bytes before {}", entry.name)
}

/// A local header, with what it says of the sizes resolved.
struct Header {
    length: u64,
    name: Vec<u8>,
    flags: u16,
    method: Method,
    crc: u32,
    packed_size: u64,
    size: u64,
    malformed: bool,
}

impl Header {
    fn differences(&self, entry: &Entry) -> Vec<&'static str> {
        let mut differences = Vec::new();
        let mut unless = |same: bool, what| {
            if !same {
                differences.push(what);
            }
        };
        unless(self.name == entry.raw_name, "another name");
        unless(self.method == entry.method, "another method");
        // Bits 1 and 2 only tell how hard the packer tried.
        unless((self.flags ^ entry.flags) & !0b110 == 0, "other flags");
        unless(!self.malformed, "a malformed extra field");
        let deferred = entry.flags & Entry::DESCRIPTOR != 0;
        let same = |own: u64, listed: u64| own == listed || deferred && own == 0;
        unless(same(u64::from(self.crc), u64::from(entry.crc)), "another checksum");
        unless(same(self.packed_size, entry.packed_size), "another packed size");
        unless(same(self.size, entry.size), "another size");
        differences
    }
}

fn read(source: &dyn Source, entry: &Entry) -> Result<Option<Header>, Refusal> {
    if entry.header_offset.checked_add(HEADER).is_none_or(|end| end > source.size()) {
        return Ok(None);
    }
    let mut fixed = [0; HEADER as usize];
    source.read_exact_at(&mut fixed, entry.header_offset)?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let mut fields = Fields(&fixed[6..]);
    let header = (|| {
        let flags = fields.u16()?;
        let method = fields.u16()?;
        let _time = fields.u32()?;
        Some((
            flags,
            method,
            fields.u32()?,
            fields.u32()?,
            fields.u32()?,
            fields.u16()?,
            fields.u16()?,
        ))
    })();
    let Some((flags, method, crc, packed_size, size, name_length, extra_length)) = header else {
        return Ok(None);
    };
    let variable = usize::from(name_length) + usize::from(extra_length);
    let mut rest = vec![0; variable];
    let start = entry.header_offset + HEADER;
    if start + variable as u64 > source.size() {
        return Ok(None);
    }
    source.read_exact_at(&mut rest, start)?;
    let (name, extra) = rest.split_at(usize::from(name_length));
    let extra = Extra::read(extra);
    let (mut packed_size, mut size) = (u64::from(packed_size), u64::from(size));
    let mut malformed = extra.malformed || extra.second_name;
    // In a local header the 64-bit field holds both sizes or neither.
    if packed_size == u64::from(u32::MAX) || size == u64::from(u32::MAX) {
        let wide = extra.zip64.and_then(|data| {
            let mut fields = Fields(data);
            Some((fields.u64()?, fields.u64()?))
        });
        match wide {
            Some((wide_size, wide_packed)) => (size, packed_size) = (wide_size, wide_packed),
            None => malformed = true,
        }
    }
    Ok(Some(Header {
        length: HEADER + variable as u64,
        name: name.to_vec(),
        flags,
        method: Method::from(method),
        crc,
        packed_size,
        size,
        malformed,
    }))
}

/// The length of the data descriptor that ends at `next`, if there is one that says the same as
/// the directory. It comes with or without a signature, in 32 or 64 bits.
fn descriptor(
    source: &dyn Source,
    entry: &Entry,
    start: u64,
    next: u64,
) -> Result<Option<u64>, Refusal> {
    let Some(length) = next.checked_sub(start).filter(|length| matches!(length, 12 | 16 | 20 | 24))
    else {
        return Ok(None);
    };
    let mut bytes = [0; 24];
    let bytes = &mut bytes[..length as usize];
    source.read_exact_at(bytes, start)?;
    let signed = bytes.starts_with(b"PK\x07\x08") && matches!(length, 16 | 24);
    let body = if signed { &bytes[4..] } else { &bytes[..] };
    let wide = match body.len() {
        12 => false,
        20 => true,
        _ => return Ok(None),
    };
    let mut fields = Fields(body);
    let crc = fields.u32();
    let mut size = || if wide { fields.u64() } else { fields.u32().map(u64::from) };
    let sound =
        crc == Some(entry.crc) && size() == Some(entry.packed_size) && size() == Some(entry.size);
    Ok(sound.then_some(length))
}
