//! A file beside the daemon's socket that is there while a change is under way. It leads to the
//! journal of a daemon that is down and has its settings elsewhere than usual, and everybody may
//! read it.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::HostError;
use super::write;

fn path(socket: &Utf8Path) -> Utf8PathBuf {
    socket.with_file_name(format!("{}.wheelmill", socket.file_name().unwrap_or_default()))
}

/// The settings of a daemon of which a change is under way, or was and came to no end.
pub(super) fn read(socket: &Utf8Path) -> Option<Utf8PathBuf> {
    let text = fs_err::read_to_string(path(socket)).ok()?;
    let settings = Utf8PathBuf::from(text.trim_end_matches('\n'));
    settings.is_absolute().then_some(settings)
}

pub(super) fn set(socket: &Utf8Path, settings: &Utf8Path) -> Result<(), HostError> {
    let text = format!("{settings}\n");
    write::replace(&path(socket), text.as_bytes(), write::own(0o644), None)
}

pub(super) fn clear(socket: &Utf8Path) -> Result<(), HostError> {
    write::remove(&path(socket))
}
