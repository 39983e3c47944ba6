//! The terminal of a person who works in a container.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// A terminal, in raw mode, that a container's command is connected with.
#[derive(Clone, Copy, Debug)]
pub struct Terminal<'a> {
    /// Where keys come from.
    pub input: BorrowedFd<'a>,
    /// Where output goes; its size is the container's.
    pub output: BorrowedFd<'a>,
    /// Raised, by a handler of SIGWINCH, when the size has changed.
    pub resized: &'a AtomicBool,
}

impl Terminal<'_> {
    /// Whether the size has changed since the last time this was asked.
    pub(crate) fn was_resized(&self) -> bool {
        self.resized.swap(false, Ordering::SeqCst)
    }
}
