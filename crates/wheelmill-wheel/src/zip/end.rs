//! Finds the end record of an archive and, through it, the central directory.

use super::Refusal;
use super::fields::Fields;
use super::source::Source;
use crate::finding::Findings;
use crate::rules;

const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const LOCATOR64: &[u8] = b"PK\x06\x07";
const END_SIZE: usize = 22;
const LOCATOR_SIZE: usize = 20;
const END64_SIZE: usize = 56;

/// Where the central directory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) entries: u64,
    /// Where the records of the end begin: the directory must reach to here.
    pub(super) end: u64,
}

/// Finds the directory. An archive with a comment or with bytes behind it is read on, since what
/// it holds is still plain, but never passes.
pub(super) fn find(source: &dyn Source, findings: &mut Findings) -> Result<Directory, Refusal> {
    let size = source.size();
    let tail_size = size.min((END_SIZE + LOCATOR_SIZE + END64_SIZE + 0xffff) as u64) as usize;
    let tail_offset = size - tail_size as u64;
    let mut tail = vec![0; tail_size];
    source.read_exact_at(&mut tail, tail_offset)?;

    let place = find_end(&tail).ok_or_else(|| missing_end(source))?;
    let mut record = Fields(&tail[place + 4..]);
    let short = || Refusal::NotAnArchive("its end record is cut off".to_owned());
    let disk = record.u16().ok_or_else(short)?;
    let directory_disk = record.u16().ok_or_else(short)?;
    let entries_here = record.u16().ok_or_else(short)?;
    let entries = record.u16().ok_or_else(short)?;
    let directory_size = record.u32().ok_or_else(short)?;
    let directory_offset = record.u32().ok_or_else(short)?;
    let comment = record.u16().ok_or_else(short)?;

    let behind = record.0.len();
    if comment > 0 {
        findings.add(rules::ZIP_COMMENT, format!("{comment} bytes"));
    }
    if behind > usize::from(comment) {
        let extra = behind - usize::from(comment);
        findings.add(rules::ZIP_TRAILING, format!("{extra} bytes"));
    } else if behind < usize::from(comment) {
        return Err(Refusal::NotAnArchive("it ends within its own comment".to_owned()));
    }
    if (disk, directory_disk) != (0, 0) && (disk, directory_disk) != (0xffff, 0xffff)
        || entries_here != entries
    {
        return Err(Refusal::Unsafe("it is one part of an archive in several parts".to_owned()));
    }

    let narrow = Directory {
        offset: u64::from(directory_offset),
        size: u64::from(directory_size),
        entries: u64::from(entries),
        end: tail_offset + place as u64,
    };
    match place.checked_sub(LOCATOR_SIZE).map(|start| &tail[start..place]) {
        Some(locator) if locator.starts_with(LOCATOR64) => {
            wide_directory(source, locator, narrow, findings)
        }
        _ if entries == 0xffff || directory_size == u32::MAX || directory_offset == u32::MAX => {
            // A full field that is simply the true value needs no 64-bit record.
            if narrow.offset.checked_add(narrow.size) == Some(narrow.end) {
                Ok(narrow)
            } else {
                Err(Refusal::NotAnArchive("its 64-bit end record is missing".to_owned()))
            }
        }
        _ => Ok(narrow),
    }
}

/// The end record's place: at the very end where it is legal, else the last one there is.
fn find_end(tail: &[u8]) -> Option<usize> {
    let plain = tail.len().checked_sub(END_SIZE)?;
    (0..=plain).rev().find(|place| tail[*place..].starts_with(END))
}

fn missing_end(source: &dyn Source) -> Refusal {
    let mut start = [0; 4];
    let is_zip = source.read_exact_at(&mut start, 0).is_ok() && start == *b"PK\x03\x04";
    Refusal::NotAnArchive(
        if is_zip {
            "it is cut off: the directory at the end of the archive is missing"
        } else {
            "it is not a zip archive"
        }
        .to_owned(),
    )
}

/// Reads the 64-bit end record, which must stand right before its locator and agree with the
/// narrow one wherever that one is not saturated.
fn wide_directory(
    source: &dyn Source,
    locator: &[u8],
    narrow: Directory,
    findings: &mut Findings,
) -> Result<Directory, Refusal> {
    let broken = |what: &str| Refusal::NotAnArchive(format!("its 64-bit end record {what}"));
    let mut locator = Fields(&locator[4..]);
    let cut = || broken("is cut off");
    let disk = locator.u32().ok_or_else(cut)?;
    let offset = locator.u64().ok_or_else(cut)?;
    let disks = locator.u32().ok_or_else(cut)?;
    if disk != 0 || disks > 1 {
        return Err(Refusal::Unsafe("it is one part of an archive in several parts".to_owned()));
    }
    let wanted = narrow.end.checked_sub((LOCATOR_SIZE + END64_SIZE) as u64);
    if wanted != Some(offset) {
        return Err(broken("is not where its locator says"));
    }
    let mut record = [0; END64_SIZE];
    source.read_exact_at(&mut record, offset)?;
    if !record.starts_with(END64) {
        return Err(broken("is missing"));
    }
    let mut fields = Fields(&record[4..]);
    let record_size = fields.u64().ok_or_else(cut)?;
    let _versions = fields.u32().ok_or_else(cut)?;
    let disk = fields.u32().ok_or_else(cut)?;
    let directory_disk = fields.u32().ok_or_else(cut)?;
    let entries_here = fields.u64().ok_or_else(cut)?;
    let entries = fields.u64().ok_or_else(cut)?;
    let size = fields.u64().ok_or_else(cut)?;
    let directory_offset = fields.u64().ok_or_else(cut)?;
    if record_size != (END64_SIZE - 12) as u64 {
        return Err(broken("has an unusual size"));
    }
    if (disk, directory_disk) != (0, 0) || entries_here != entries {
        return Err(Refusal::Unsafe("it is one part of an archive in several parts".to_owned()));
    }
    let agrees = |narrow: u64, full: u64, wide: u64| narrow == full || narrow == wide;
    if !agrees(narrow.entries, 0xffff, entries)
        || !agrees(narrow.size, u64::from(u32::MAX), size)
        || !agrees(narrow.offset, u64::from(u32::MAX), directory_offset)
    {
        findings.add(rules::ZIP_ZIP64, "the two end records differ");
    }
    Ok(Directory { offset: directory_offset, size, entries, end: offset })
}
