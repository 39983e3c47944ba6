//! The central directory: what the archive says it holds.

use std::collections::{HashMap, HashSet};

use super::entry::{Entry, Extra, Method};
use super::fields::Fields;
use super::source::Source;
use super::{Refusal, end, local, names};
use crate::finding::Findings;
use crate::limits::Limits;
use crate::rules;

/// An archive whose structure was checked; its contents were not read yet.
pub(crate) struct Archive {
    pub(crate) entries: Vec<Entry>,
    pub(crate) findings: Findings,
}

/// Reads the directory and every local header.
pub(crate) fn open(source: &dyn Source, limits: &Limits) -> Result<Archive, Refusal> {
    let mut findings = Findings::default();
    let directory = end::find(source, &mut findings)?;
    if directory.entries > limits.entries || directory.size > limits.directory {
        return Err(Refusal::Unsafe(format!(
            "its directory lists {} entries in {} bytes",
            directory.entries, directory.size
        )));
    }
    match directory.offset.checked_add(directory.size) {
        Some(end) if end == directory.end => {}
        Some(end) if end < directory.end => {
            let bytes = directory.end - end;
            findings.add(rules::ZIP_GAP, format!("{bytes} bytes behind the directory"));
        }
        _ => {
            return Err(Refusal::NotAnArchive(
                "its directory reaches beyond the end of the archive".to_owned(),
            ));
        }
    }
    let mut bytes = vec![0; usize::try_from(directory.size).unwrap_or(usize::MAX)];
    source.read_exact_at(&mut bytes, directory.offset)?;
    let mut entries = read_entries(&bytes, directory.entries, &mut findings)?;

    let total = entries.iter().try_fold(0_u64, |sum, entry| sum.checked_add(entry.size));
    if total.is_none_or(|total| total > limits.total) {
        return Err(Refusal::Unsafe(format!(
            "it would unpack to more than {} GiB",
            limits.total >> 30
        )));
    }
    for entry in &mut entries {
        judge(entry, limits, &mut findings);
    }
    find_collisions(&entries, &mut findings);
    local::check(source, &mut entries, directory.offset, &mut findings)?;
    Ok(Archive { entries, findings })
}

fn read_entries(bytes: &[u8], count: u64, findings: &mut Findings) -> Result<Vec<Entry>, Refusal> {
    let mut fields = Fields(bytes);
    let mut entries = Vec::new();
    while !fields.0.is_empty() {
        let number = entries.len();
        let entry = read_entry(&mut fields, findings).ok_or_else(|| {
            Refusal::NotAnArchive(format!("entry {number} of its directory cannot be read"))
        })?;
        entries.push(entry);
    }
    if entries.len() as u64 != count {
        return Err(Refusal::NotAnArchive(format!(
            "its directory holds {} entries where {count} are announced",
            entries.len()
        )));
    }
    Ok(entries)
}

fn read_entry(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Entry> {
    if fields.bytes(4)? != b"PK\x01\x02" {
        return None;
    }
    let made_by = fields.u16()?;
    let _needed = fields.u16()?;
    let flags = fields.u16()?;
    let method = Method::from(fields.u16()?);
    let _time = fields.u32()?;
    let crc = fields.u32()?;
    let packed_size = fields.u32()?;
    let size = fields.u32()?;
    let name_length = fields.u16()?;
    let extra_length = fields.u16()?;
    let comment_length = fields.u16()?;
    let disk = fields.u16()?;
    let _internal = fields.u16()?;
    let attributes = fields.u32()?;
    let header_offset = fields.u32()?;
    let raw_name = fields.bytes(usize::from(name_length))?.to_vec();
    let extra = Extra::read(fields.bytes(usize::from(extra_length))?);
    let _comment = fields.bytes(usize::from(comment_length))?;
    if disk != 0 && disk != 0xffff {
        return None;
    }

    let name = String::from_utf8_lossy(&raw_name).into_owned();
    // Saturated fields continue in the 64-bit field, in this order.
    let mut wide = Fields(extra.zip64.unwrap_or_default());
    let mut widen = |narrow: u32| match narrow {
        u32::MAX if extra.zip64.is_some() => wide.u64(),
        _ => Some(u64::from(narrow)),
    };
    let size = widen(size)?;
    let packed_size = widen(packed_size)?;
    let header_offset = widen(header_offset)?;
    if extra.malformed {
        findings.add(rules::ZIP_LOCAL_HEADER, format!("{name}: a malformed extra field"));
    }
    if extra.second_name {
        findings.add(rules::ZIP_ENCODING, format!("{name}: a second name in an extra field"));
    }
    // 3 is Unix, 19 is macOS: only they keep a mode in the upper half.
    let mode = matches!(made_by >> 8, 3 | 19).then_some(attributes >> 16);
    Some(Entry {
        name,
        raw_name,
        flags,
        method,
        crc,
        packed_size,
        size,
        header_offset,
        data_offset: 0,
        mode,
        readable: true,
    })
}

/// Judges one entry by what the directory says of it.
fn judge(entry: &mut Entry, limits: &Limits, findings: &mut Findings) {
    if let Some(objection) = names::objection(&entry.raw_name) {
        findings.add(rules::ZIP_NAME, format!("{:?}: {objection}", entry.name));
    } else if !entry.raw_name.is_ascii() && entry.flags & Entry::UTF8 == 0 {
        // Without the flag the format says code page 437.
        findings.add(rules::ZIP_ENCODING, format!("{}: not marked as UTF-8", entry.name));
    }
    if let Some(mode) = entry.mode {
        let sort = mode & 0o170_000;
        let fits = match sort {
            0 => true,
            0o100_000 => !entry.is_folder(),
            0o040_000 => entry.is_folder(),
            _ => false,
        };
        if !fits {
            findings.add(rules::ZIP_SPECIAL, format!("{} (mode {mode:o})", entry.name));
        }
        if mode & 0o6000 != 0 {
            findings.add(rules::ZIP_SETUID, format!("{} (mode {mode:o})", entry.name));
        }
    }
    if entry.is_folder() && (entry.size > 0) {
        findings.add(rules::ZIP_SPECIAL, format!("{} has {} bytes", entry.name, entry.size));
    }
    if entry.flags & Entry::UNWANTED != 0 {
        findings.add(rules::ZIP_ENCRYPTED, entry.name.clone());
        entry.readable = false;
    }
    match entry.method {
        Method::Other(_) => {
            findings.add(rules::ZIP_METHOD, format!("{}: {}", entry.name, entry.method));
            entry.readable = false;
        }
        Method::Stored if entry.size != entry.packed_size => {
            findings.add(rules::ZIP_SIZE, format!("{}: stored, yet of two sizes", entry.name));
            entry.readable = false;
        }
        Method::Stored | Method::Deflate => {}
    }
    let allowed = entry.packed_size.saturating_mul(limits.ratio).max(Limits::RATIO_FLOOR);
    if entry.size > limits.file || entry.size > allowed {
        let line = format!("{}: {} bytes out of {}", entry.name, entry.size, entry.packed_size);
        findings.add(rules::ZIP_BOMB, line);
        entry.readable = false;
    }
}

fn find_collisions(entries: &[Entry], findings: &mut Findings) {
    let mut exact = HashSet::new();
    let mut folded: HashMap<String, &str> = HashMap::new();
    let mut folders = HashSet::new();
    for entry in entries {
        let name = entry.name.trim_end_matches('/');
        if !exact.insert(name) {
            findings.add(rules::ZIP_DUPLICATE, entry.name.clone());
        } else if let Some(other) = folded.insert(name.to_lowercase(), name) {
            findings.add(rules::ZIP_CASE, format!("{other} and {name}"));
        }
        for (place, _) in name.match_indices('/') {
            folders.insert(&name[..place]);
        }
    }
    for entry in entries.iter().filter(|entry| !entry.is_folder()) {
        if folders.contains(entry.name.as_str()) {
            findings.add(rules::ZIP_FILE_AS_FOLDER, entry.name.clone());
        }
    }
}
