//! Writes a zip archive whose bytes are decided by the names and contents of its files alone.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt as _;

/// Sizes from here on are written in 64 bits. Below the largest of 32 bits, since packing can make
/// a file a little larger.
const WIDE: u64 = 0xf000_0000;

/// A file as it is to stand in the archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) crc: u32,
    pub(super) executable: bool,
}

struct Written {
    member: Member,
    offset: u64,
    packed_size: u64,
}

/// An archive that is being written.
pub(super) struct Archive {
    out: BufWriter<File>,
    position: u64,
    time: u32,
    written: Vec<Written>,
}

impl Archive {
    /// An archive in an empty file, with a time for all its files.
    pub(super) fn new(file: File, epoch: Option<u64>) -> Self {
        let out = BufWriter::with_capacity(1 << 20, file);
        Self { out, position: 0, time: dos_time(epoch), written: Vec::new() }
    }

    /// Begins a file; its packed bytes follow.
    pub(super) fn begin(&mut self, member: Member) -> io::Result<()> {
        let header = self.header(&member, 0);
        let offset = self.position;
        self.written.push(Written { member, offset, packed_size: 0 });
        self.put(&header)
    }

    /// Packed bytes of the file that was begun last.
    pub(super) fn data(&mut self, packed: &[u8]) -> io::Result<()> {
        if let Some(last) = self.written.last_mut() {
            last.packed_size += packed.len() as u64;
        }
        self.put(packed)
    }

    /// Ends a file: its header is told how many bytes came.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.out.flush()?;
        let Some(last) = self.written.last() else { return Ok(()) };
        let header = self.header(&last.member, last.packed_size);
        self.out.get_ref().write_all_at(&header, last.offset)
    }

    /// Writes the directory; gives the file, and its size.
    pub(super) fn finish(mut self) -> io::Result<(File, u64)> {
        let start = self.position;
        for written in std::mem::take(&mut self.written) {
            let entry = self.directory_entry(&written);
            self.put(&entry)?;
            self.written.push(written);
        }
        let (count, size) = (self.written.len() as u64, self.position - start);
        let end = end_of_directory(count, start, size);
        self.put(&end)?;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, self.position))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// What both headers of a file begin with, behind their marks.
    fn common(&self, member: &Member, wide: bool, packed_size: u64) -> Vec<u8> {
        let narrow = |size: u64| if wide { u32::MAX } else { size as u32 };
        let flags = if member.name.is_ascii() { 0_u16 } else { 1 << 11 };
        let method = if member.size == 0 { 0_u16 } else { 8 };
        let needed = if wide { 45_u16 } else { 20 };
        let mut bytes = Vec::new();
        for field in [needed, flags, method] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [self.time, member.crc, narrow(packed_size), narrow(member.size)] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend((member.name.len() as u16).to_le_bytes());
        bytes
    }

    fn header(&self, member: &Member, packed_size: u64) -> Vec<u8> {
        let wide = member.size >= WIDE;
        let extra = if wide { wide_extra(&[member.size, packed_size]) } else { Vec::new() };
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend(self.common(member, wide, packed_size));
        bytes.extend((extra.len() as u16).to_le_bytes());
        bytes.extend(member.name.as_bytes());
        bytes.extend(extra);
        bytes
    }

    fn directory_entry(&self, written: &Written) -> Vec<u8> {
        let Written { member, offset, packed_size } = written;
        let wide = member.size >= WIDE;
        let mut fields = if wide { vec![member.size, *packed_size] } else { Vec::new() };
        let far = *offset >= u64::from(u32::MAX);
        if far {
            fields.push(*offset);
        }
        let extra = if fields.is_empty() { Vec::new() } else { wide_extra(&fields) };
        let mode: u32 = if member.executable { 0o100_755 } else { 0o100_644 };
        let mut bytes = b"PK\x01\x02".to_vec();
        // Made on Unix, so that the mode counts.
        bytes.extend([if fields.is_empty() { 20 } else { 45 }, 3]);
        bytes.extend(self.common(member, wide, *packed_size));
        bytes.extend((extra.len() as u16).to_le_bytes());
        // No comment, the only disk, nothing internal.
        bytes.extend([0; 6]);
        bytes.extend((mode << 16).to_le_bytes());
        bytes.extend(if far { u32::MAX } else { *offset as u32 }.to_le_bytes());
        bytes.extend(member.name.as_bytes());
        bytes.extend(extra);
        bytes
    }
}

/// The extra field with what 32 bits cannot hold.
fn wide_extra(fields: &[u64]) -> Vec<u8> {
    let mut bytes = vec![1, 0];
    bytes.extend((fields.len() as u16 * 8).to_le_bytes());
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
    bytes
}

fn end_of_directory(count: u64, start: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = start + size;
    if count >= u64::from(u16::MAX) || end >= u64::from(u32::MAX) {
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45_u16, 45].map(u16::to_le_bytes).concat());
        bytes.extend([0; 8]);
        bytes.extend([count, count, size, start].map(u64::to_le_bytes).concat());
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(end.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
    }
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let entries = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([entries, entries].concat());
    bytes.extend([narrow(size), narrow(start)].concat());
    bytes.extend([0; 2]);
    bytes
}

/// A moment as zip archives write it: time in the lower half, date in the upper, to two seconds.
fn dos_time(epoch: Option<u64>) -> u32 {
    const FIRST: u64 = 315_532_800;
    // The last second that fits is one of 2107.
    const LAST: u64 = 4_354_819_198;
    let epoch = epoch.unwrap_or(FIRST).clamp(FIRST, LAST);
    let (days, seconds) = (epoch / 86_400, epoch % 86_400);
    // Days are counted from 1 March of year 0, so that the leap day is the last of its year.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let date = (year - 1980) << 9 | month << 5 | day;
    let time = (seconds / 3_600) << 11 | (seconds / 60 % 60) << 5 | (seconds % 60 / 2);
    (date << 16 | time) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_zip_archives() {
        let read = |epoch| {
            let time = dos_time(epoch);
            let (date, time) = (time >> 16, time & 0xffff);
            let day = (1980 + (date >> 9), date >> 5 & 15, date & 31);
            (day, (time >> 11, time >> 5 & 63, (time & 31) * 2))
        };
        assert_eq!(read(None), ((1980, 1, 1), (0, 0, 0)));
        assert_eq!(read(Some(0)), ((1980, 1, 1), (0, 0, 0)));
        assert_eq!(read(Some(1_709_210_096)), ((2024, 2, 29), (12, 34, 56)));
        assert_eq!(read(Some(1_798_761_598)), ((2026, 12, 31), (23, 59, 58)));
        assert_eq!(read(Some(u64::MAX)), ((2107, 12, 31), (23, 59, 58)));
    }

    #[test]
    fn what_32_bits_cannot_hold_is_written_in_64() {
        let member = Member { name: "x".to_owned(), size: 5 << 30, crc: 7, executable: false };
        let archive = Archive::new(tempfile::tempfile().unwrap(), None);
        let header = archive.header(&member, 3 << 30);
        assert_eq!(header[18..26], [0xff; 8]);
        assert_eq!(header[31..35], [1, 0, 16, 0]);
        assert_eq!(header[35..43], (5_u64 << 30).to_le_bytes());
        let written = Written { member, offset: 6 << 30, packed_size: 3 << 30 };
        let entry = archive.directory_entry(&written);
        assert_eq!(entry[47..51], [1, 0, 24, 0]);
        assert_eq!(entry[67..75], (6_u64 << 30).to_le_bytes());
        assert_eq!(end_of_directory(1, 6 << 30, 75).len(), 56 + 20 + 22);
    }
}
