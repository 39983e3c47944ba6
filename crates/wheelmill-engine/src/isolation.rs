//! How far a container is kept from the machine that it runs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a container is kept from the machine, best first. An engine uses the best that the
/// machine allows, and says so when that is not the first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Namespaces, and a root of its own of which every folder can be changed.
    #[default]
    Overlay,
    /// Namespaces, and a root of its own that cannot be changed outside a few folders.
    ReadOnly,
    /// No namespaces. A process of the user that Landlock (Linux 5.13) keeps to the system's files,
    /// to read, and to a few folders of its own.
    Landlock,
    /// No namespaces. A process of the user that may do what the user may.
    Process,
}

impl Isolation {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Overlay, Self::ReadOnly, Self::Landlock, Self::Process];

    /// The word for it in settings and in `--json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::ReadOnly => "read-only",
            Self::Landlock => "landlock",
            Self::Process => "process",
        }
    }

    /// Whether there are namespaces, and so a root, processes and paths of its own.
    #[must_use]
    pub const fn has_namespaces(self) -> bool {
        matches!(self, Self::Overlay | Self::ReadOnly)
    }

    /// Whether the folders of the system can be changed, by steps and for packages, and images can
    /// be a base.
    #[must_use]
    pub const fn has_layers(self) -> bool {
        matches!(self, Self::Overlay)
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|isolation| isolation.as_str() == text).ok_or_else(|| {
            let words = Self::ALL.map(|isolation| format!("`{isolation}`")).join(", ");
            format!("`{text}` is no isolation; there are {words}")
        })
    }
}
