//! Where an archive's bytes come from.

use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};
use wheelmill_model::Digest;

/// Bytes that can be read from any place, by several threads at once.
///
/// Reading, not mapping: a file that someone truncates meanwhile gives an error, not a signal.
pub(crate) trait Source: Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;
    /// Fills `buffer` from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// An open file and the size it had when it was opened.
pub(crate) struct FileSource {
    pub(crate) file: std::fs::File,
    pub(crate) size: u64,
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..)?.get(..buffer.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

/// SHA-256 of all bytes.
pub(crate) fn digest(source: &dyn Source) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < source.size() {
        let length = (source.size() - offset).min(buffer.len() as u64);
        let chunk = &mut buffer[..length as usize];
        source.read_exact_at(chunk, offset)?;
        hasher.update(chunk);
        offset += length;
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}
