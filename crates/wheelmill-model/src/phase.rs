//! The way of a cell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A step on the way of a cell, in order. Each is written to the history before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Cheap checks before anything heavy.
    Preflight,
    /// The source is fetched and every version is pinned; network on.
    Fetch,
    /// The container's layers are made: toolchain and build requirements; network on.
    Environment,
    /// The package's own build; network off.
    Compile,
    /// The wheel is made fit for other machines, labelled and pinned; network off.
    Repair,
    /// The wheel is judged.
    Verify,
    /// The wheel is put in the store.
    Store,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 7] = [
        Self::Preflight,
        Self::Fetch,
        Self::Environment,
        Self::Compile,
        Self::Repair,
        Self::Verify,
        Self::Store,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Fetch => "fetch",
            Self::Environment => "environment",
            Self::Compile => "compile",
            Self::Repair => "repair",
            Self::Verify => "verify",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a phase"))
    }
}
