//! The wish to stop, shared by everything that works for one run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A flag that is raised once. Clones share it. Long work looks at it often: whatever waits for a
/// container polls it at least every 100 ms.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    /// From when on it counts as raised.
    deadline: Option<Instant>,
}

impl Cancel {
    /// A flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that a signal handler raises.
    #[must_use]
    pub const fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self { flag, deadline: None }
    }

    /// The same flag, for work that has time until a moment and no longer.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { flag: Arc::clone(&self.flag), deadline: Some(deadline) }
    }

    /// The same flag, whatever time is over.
    #[must_use]
    pub fn without_deadline(&self) -> Self {
        Self { flag: Arc::clone(&self.flag), deadline: None }
    }

    /// Asks everything that shares this flag to stop.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked, or the time is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
