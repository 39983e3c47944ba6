//! What a file of a wheel holds, in memory or set aside, and its packed blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};

use super::pack::{BLOCK, deflate};

/// Files up to this many bytes are packed side by side in memory; a larger one has all cores for
/// itself.
pub(super) const SMALL: u64 = 16 << 20;

/// What a file holds.
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) crc: u32,
    pub(super) digest: Vec<u8>,
    pub(super) bytes: Bytes,
}

pub(super) enum Bytes {
    Memory(Vec<u8>),
    Scratch(File),
}

impl Content {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        let digest = Sha256::digest(&bytes).to_vec();
        Self { size: bytes.len() as u64, crc: crc.sum(), digest, bytes: Bytes::Memory(bytes) }
    }

    pub(super) fn blocks(&self) -> usize {
        self.size.div_ceil(BLOCK as u64) as usize
    }

    /// A block, packed.
    pub(super) fn packed(&self, number: usize) -> io::Result<Vec<u8>> {
        let start = number * BLOCK;
        let length = (self.size as usize - start).min(BLOCK);
        let last = number + 1 == self.blocks();
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(deflate(&bytes[start..start + length], last)),
            Bytes::Scratch(file) => {
                let mut block = vec![0; length];
                file.read_exact_at(&mut block, start as u64)?;
                Ok(deflate(&block, last))
            }
        }
    }
}
