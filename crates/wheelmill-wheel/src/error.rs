//! Why a file could not be read as a wheel at all.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::TagError;

use crate::zip::{ContentError, Refusal};

/// A file that could not be inspected. What is wrong *within* a readable wheel is a
/// [`Finding`](crate::Finding) instead.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// There is no such file, or it may not be read.
    #[error("cannot open `{file}`")]
    Open {
        /// The file asked for.
        file: Utf8PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The path names something that holds no bytes of its own.
    #[error("`{file}` is {what}, not a file")]
    NotAFile {
        /// The path asked for.
        file: Utf8PathBuf,
        /// What is there: `a folder`.
        what: &'static str,
    },
    /// The file has no bytes.
    #[error("`{file}` is empty")]
    Empty {
        /// The file asked for.
        file: Utf8PathBuf,
    },
    /// The file's name is not a wheel's, so that no installer would take it.
    #[error("`{file}` cannot be a wheel by its name")]
    Name {
        /// The file asked for.
        file: Utf8PathBuf,
        /// What is wrong with the name.
        #[source]
        source: TagError,
    },
    /// Reading stopped half-way.
    #[error("cannot read `{file}`")]
    Read {
        /// The file that was being read.
        file: Utf8PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The bytes are not those of a wheel.
    #[error("`{file}` is not a wheel: {reason}")]
    NotAWheel {
        /// The file asked for.
        file: Utf8PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// It is a wheel, and what describes it is destroyed.
    #[error("`{file}` is a damaged wheel: {reason}")]
    Damaged {
        /// The file asked for.
        file: Utf8PathBuf,
        /// What cannot be read.
        reason: String,
    },
    /// Reading on would cost more than any honest wheel needs, or means different things to
    /// different readers.
    #[error("`{file}` is not safe to read: {reason}")]
    Unsafe {
        /// The file asked for.
        file: Utf8PathBuf,
        /// What it does.
        reason: String,
    },
    /// A large module could not be set aside in the scratch folder.
    #[error("cannot keep a part of `{file}` in the scratch folder `{folder}`")]
    Scratch {
        /// The wheel that was being read.
        file: Utf8PathBuf,
        /// The scratch folder of [`InspectOptions`](crate::InspectOptions).
        folder: Utf8PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl WheelError {
    /// Why the archive of a file was given up.
    pub(crate) fn refused(file: &Utf8Path, refusal: Refusal) -> Self {
        let file = file.to_owned();
        match refusal {
            Refusal::Io(source) => Self::Read { file, source },
            Refusal::NotAnArchive(reason) => Self::NotAWheel { file, reason },
            Refusal::Unsafe(reason) => Self::Unsafe { file, reason },
        }
    }

    /// Why an entry of a file could not be unpacked; `scratch` is the folder for large ones.
    pub(crate) fn content(
        file: &Utf8Path,
        scratch: Option<&Utf8Path>,
        error: ContentError,
    ) -> Self {
        let file = file.to_owned();
        match error {
            ContentError::Read(source) => Self::Read { file, source },
            ContentError::Damaged(reason) => Self::NotAWheel { file, reason: reason.to_owned() },
            ContentError::Scratch(source) => {
                let folder = scratch.map(Utf8Path::to_owned).unwrap_or_default();
                Self::Scratch { file, folder, source }
            }
        }
    }
}
