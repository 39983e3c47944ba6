//! Writes zip archives and tells where their parts lie, so that tests can damage them.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// A file of an archive.
#[derive(Clone, Debug)]
pub(crate) struct ZipEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) deflate: bool,
    pub(crate) mode: u32,
    pub(crate) flags: u16,
    pub(crate) extra: Vec<u8>,
    /// Put checksum and sizes behind the data instead of before it.
    pub(crate) descriptor: bool,
}

impl ZipEntry {
    pub(crate) fn new(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            bytes: bytes.into(),
            deflate: true,
            mode: 0o100_644,
            flags: if name.is_ascii() { 0 } else { 1 << 11 },
            extra: Vec::new(),
            descriptor: false,
        }
    }
}

/// Where the parts of an entry lie in the archive.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) local: usize,
    pub(crate) data: usize,
    pub(crate) packed: usize,
    pub(crate) central: usize,
}

/// A finished archive.
#[derive(Clone, Debug)]
pub(crate) struct Zip {
    pub(crate) bytes: Vec<u8>,
    pub(crate) places: Vec<Place>,
    pub(crate) directory: usize,
    pub(crate) end: usize,
}

impl Zip {
    pub(crate) fn write(entries: &[ZipEntry]) -> Self {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        let mut directory = Vec::new();
        for entry in entries {
            let packed = pack(entry);
            let local = bytes.len();
            let mut crc = Crc::new();
            crc.update(&entry.bytes);
            let sizes = [crc.sum(), packed.len() as u32, entry.bytes.len() as u32];
            let flags = entry.flags | if entry.descriptor { 1 << 3 } else { 0 };
            let mut common = Vec::new();
            common.extend(20_u16.to_le_bytes());
            common.extend(flags.to_le_bytes());
            common.extend((if entry.deflate { 8_u16 } else { 0 }).to_le_bytes());
            common.extend(0x5a21_0000_u32.to_le_bytes());
            let numbers = |values: [u32; 3]| values.map(u32::to_le_bytes).concat();
            let lengths = [entry.name.len() as u16, entry.extra.len() as u16];
            let lengths = lengths.map(u16::to_le_bytes).concat();

            bytes.extend(b"PK\x03\x04");
            bytes.extend(&common);
            bytes.extend(numbers(if entry.descriptor { [0; 3] } else { sizes }));
            bytes.extend(&lengths);
            bytes.extend(&entry.name);
            bytes.extend(&entry.extra);
            let data = bytes.len();
            bytes.extend(&packed);
            if entry.descriptor {
                bytes.extend(b"PK\x07\x08");
                bytes.extend(numbers(sizes));
            }

            places.push(Place {
                name: String::from_utf8_lossy(&entry.name).into_owned(),
                local,
                data,
                packed: packed.len(),
                central: directory.len(),
            });
            directory.extend(b"PK\x01\x02");
            directory.extend(0x0314_u16.to_le_bytes());
            directory.extend(&common);
            directory.extend(numbers(sizes));
            directory.extend(&lengths);
            directory.extend([0; 6]);
            directory.extend((entry.mode << 16).to_le_bytes());
            directory.extend((local as u32).to_le_bytes());
            directory.extend(&entry.name);
            directory.extend(&entry.extra);
        }
        let start = bytes.len();
        for place in &mut places {
            place.central += start;
        }
        bytes.extend(&directory);
        let end = bytes.len();
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([entries.len() as u16; 2].map(u16::to_le_bytes).concat());
        bytes.extend((directory.len() as u32).to_le_bytes());
        bytes.extend((start as u32).to_le_bytes());
        bytes.extend([0; 2]);
        Self { bytes, places, directory: start, end }
    }

    /// The place of a file.
    pub(crate) fn place(&self, name: &str) -> &Place {
        self.places.iter().find(|place| place.name == name).unwrap()
    }

    /// Ends the archive as those do that outgrew 32 bits.
    pub(crate) fn widen(&mut self) {
        let entries = self.places.len() as u64;
        let size = (self.end - self.directory) as u64;
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44_u64.to_le_bytes());
        record.extend([45_u16, 45].map(u16::to_le_bytes).concat());
        record.extend([0; 8]);
        record
            .extend([entries, entries, size, self.directory as u64].map(u64::to_le_bytes).concat());
        record.extend(b"PK\x06\x07\0\0\0\0");
        record.extend((self.end as u64).to_le_bytes());
        record.extend(1_u32.to_le_bytes());
        self.bytes[self.end + 8..self.end + 20].fill(0xff);
        self.bytes.splice(self.end..self.end, record);
    }

    /// Puts bytes in at a place and moves everything that points behind it.
    pub(crate) fn insert(&mut self, at: usize, inserted: &[u8]) {
        let length = inserted.len();
        for place in &mut self.places {
            if place.local >= at {
                let field = place.central + 42;
                let moved = (place.local + length) as u32;
                self.bytes[field..field + 4].copy_from_slice(&moved.to_le_bytes());
            }
        }
        if self.directory >= at {
            let moved = (self.directory + length) as u32;
            self.bytes[self.end + 16..self.end + 20].copy_from_slice(&moved.to_le_bytes());
        }
        self.bytes.splice(at..at, inserted.iter().copied());
    }
}

fn pack(entry: &ZipEntry) -> Vec<u8> {
    if !entry.deflate {
        return entry.bytes.clone();
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&entry.bytes).unwrap();
    encoder.finish().unwrap()
}
