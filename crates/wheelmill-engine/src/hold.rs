//! What keeps the layers of an environment from being removed.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

/// Keeps what an environment consists of from being removed while it lives, in this process or a
/// clone of it. It says nothing about which environment it is: all holds are equal.
#[derive(Clone, Default)]
pub struct Hold(Arc<Vec<File>>);

impl Hold {
    /// A hold by these files, each locked so that nobody removes what it stands for.
    pub(crate) fn of(locks: Vec<File>) -> Self {
        Self(Arc::new(locks))
    }
}

impl PartialEq for Hold {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Hold {}

impl fmt::Debug for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hold of {}", self.0.len())
    }
}
