//! The stream below the tar reader: hashed for the layer's diff id, counted, and kept on a budget.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use wheelmill_model::Digest;

use crate::Cancel;

/// How much may be read from a [`Metered`] stream until the budget is renewed. The tar reader keeps
/// long names and extended headers in memory, whole: with a small budget around them a hostile
/// header cannot fill the memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Rc<Cell<u64>>);

impl Budget {
    /// Allows this many bytes from here on.
    pub(super) fn renew(&self, bytes: u64) {
        self.0.set(bytes);
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let left = self.0.get().checked_sub(bytes).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a header or entry is too long")
        })?;
        self.0.set(left);
        Ok(())
    }
}

/// A reader that hashes, counts and limits what goes through it, and ends when the caller cancels.
pub(super) struct Metered<R> {
    inner: R,
    hash: Sha256,
    read: u64,
    budget: Budget,
    cancel: Cancel,
}

impl<R: Read> Metered<R> {
    pub(super) fn new(inner: R, budget: Budget, cancel: Cancel) -> Self {
        Self { inner, hash: Sha256::new(), read: 0, budget, cancel }
    }

    /// Reads what is left behind the tar's end mark, since the digest covers it too; gives the
    /// digest and the length of the whole stream.
    pub(super) fn finish(mut self, most: u64) -> io::Result<(Digest, u64)> {
        self.budget.renew(most);
        io::copy(&mut self, &mut io::sink())?;
        Ok((Digest::from_bytes(self.hash.finalize().into()), self.read))
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        let count = self.inner.read(buffer)?;
        self.budget.take(count as u64)?;
        self.hash.update(&buffer[..count]);
        self.read += count as u64;
        Ok(count)
    }
}
