//! A zip reader that takes only archives which every reader understands alike.

mod content;
mod directory;
mod end;
mod entry;
mod fields;
mod local;
mod names;
mod source;

pub(crate) use content::{Algorithm, Content, ContentError, Keep, Kept, Reader};
pub(crate) use directory::{Archive, open};
pub(crate) use entry::Entry;
pub(crate) use source::{FileSource, Source, digest};

/// Why an archive was given up.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The bytes could not be read.
    Io(std::io::Error),
    /// They are no zip archive, or a broken one.
    NotAnArchive(String),
    /// They are too costly or too ambiguous to go on with.
    Unsafe(String),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
