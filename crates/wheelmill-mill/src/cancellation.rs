//! The wish to stop a run, with where it came from.

use std::sync::{Arc, OnceLock};

use wheelmill_engine::Cancel;
use wheelmill_store::CancelledBy;

/// A wish that is uttered once. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    flag: Cancel,
    by: Arc<OnceLock<CancelledBy>>,
}

impl Cancellation {
    /// A wish that nobody has uttered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everything that shares this wish to stop. Who comes first is remembered.
    pub fn cancel(&self, by: CancelledBy) {
        self.by.get_or_init(|| by);
        self.flag.cancel();
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.flag.is_cancelled()
    }

    /// Who asked.
    #[must_use]
    pub fn by(&self) -> Option<CancelledBy> {
        self.by.get().copied()
    }

    /// The part of it that an engine looks at.
    #[must_use]
    pub const fn flag(&self) -> &Cancel {
        &self.flag
    }
}
