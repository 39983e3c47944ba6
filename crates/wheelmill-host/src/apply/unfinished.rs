//! Changes that came to no end, as others than their maker see them.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use wheelmill_engine::lock::is_held;

use super::change::{LOCK, folder_of};
use super::marker;
use super::stack::Stack;

/// A change that was begun, and not finished as far as can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The daemon's file of settings.
    pub settings: Utf8PathBuf,
    /// When it began, where this user may read that.
    pub began: Option<Timestamp>,
}

/// A change of the daemon at a socket that was begun and not finished. One that somebody makes at
/// this moment is none, where this user can tell.
#[must_use]
pub fn unfinished(socket: &Utf8Path, settings: &Utf8Path) -> Option<Unfinished> {
    let marked = marker::read(socket);
    let settings = marked.clone().unwrap_or_else(|| settings.to_owned());
    let folder = folder_of(&settings);
    if is_held(&folder.join(LOCK)) {
        return None;
    }
    let journal = Stack { folder }.latest().ok().flatten();
    match journal {
        Some(journal) if !journal.finished => {
            Some(Unfinished { settings, began: Some(journal.began) })
        }
        // A plain user sees that much.
        None if marked.is_some() => Some(Unfinished { settings, began: None }),
        _ => None,
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, began } = self;
        match began {
            Some(began) => write!(
                formatter,
                "a change of `{settings}`, begun at {}, was not finished",
                began.strftime("%Y-%m-%d %H:%M:%S UTC")
            ),
            None => write!(formatter, "a change of `{settings}` was begun, and has not ended"),
        }
    }
}
