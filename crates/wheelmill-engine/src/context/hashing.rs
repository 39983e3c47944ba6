//! Hashes what is read while it is read.

use std::io::{self, Read};

use sha2::Digest as _;
use wheelmill_model::Digest;

/// A reader, the hash of what came through it, and whether it failed.
pub(super) struct Hashing<R> {
    from: R,
    hash: sha2::Sha256,
    failed: bool,
}

impl<R: Read> Hashing<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, hash: sha2::Sha256::new(), failed: false }
    }

    /// Whether reading failed, rather than what was done with the bytes.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// The digest of all that was read.
    pub(super) fn digest(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes);
        match &read {
            Ok(count) => self.hash.update(&bytes[..*count]),
            Err(error) => self.failed = error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}
