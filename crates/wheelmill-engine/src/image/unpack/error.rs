//! What can go wrong while a layer is unpacked.

use std::path::{Path, PathBuf};

use wheelmill_model::Digest;

/// A layer that could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The layer's file could not be opened.
    #[error("could not open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The stream broke off, is not a tar, or is damaged.
    #[error("the layer is damaged or not a tar")]
    Read(#[source] std::io::Error),
    /// An entry that no honest image holds, or that cannot be right.
    #[error("the entry `{name}` {reason}")]
    Entry {
        /// Its name as the tar has it.
        name: String,
        /// What is wrong with it: `leads out of the layer`.
        reason: &'static str,
    },
    /// More than a layer may hold.
    #[error("the layer holds more than {limit} {unit}")]
    TooLarge {
        /// The most that is allowed.
        limit: u64,
        /// Of what: `bytes`.
        unit: &'static str,
    },
    /// The file system below the folder has no room for what the layer says it holds.
    #[error("the layer needs {wanted} bytes more, and only {free} are free")]
    NoRoom {
        /// What the next file needs.
        wanted: u64,
        /// What is left.
        free: u64,
    },
    /// A file or folder of the layer could not be made.
    #[error("could not {action} `{}`", path.display())]
    Write {
        /// What was tried: `create the folder`.
        action: &'static str,
        /// On the host.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The content is not what the image's configuration names.
    #[error("the layer's content has the digest {actual}, but the image names {expected}")]
    DiffId {
        /// What the image names.
        expected: Digest,
        /// What was read.
        actual: Digest,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl UnpackError {
    /// For `map_err`: what was tried at which path.
    pub(super) fn write(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { action, path, source }
    }

    /// An entry with its name as far as it can be printed.
    pub(super) fn entry(name: &[u8], reason: &'static str) -> Self {
        Self::Entry { name: String::from_utf8_lossy(name).into_owned(), reason }
    }
}
