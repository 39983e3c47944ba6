//! Changes that came to no end, as others than their maker see them.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use wheelmill_engine::lock::is_held;

use super::change::{LOCK, USUAL, folder_of};
use super::journal::Journal;
use super::marker;
use super::stack::Stack;
use crate::plan::real_path;

/// A change that was begun, and not finished as far as can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The daemon's file of settings.
    pub settings: Utf8PathBuf,
    /// When it began, where this user may read that.
    pub began: Option<Timestamp>,
}

/// A change of the daemon at a socket that was begun and not finished. One that somebody makes at
/// this moment is none, where this user can tell. `settings` is the daemon's file, where that answers
/// and says so.
#[must_use]
pub fn unfinished(socket: &Utf8Path, settings: Option<&Utf8Path>) -> Option<Unfinished> {
    let marked = marker::read(socket);
    let known = settings.map(Utf8Path::to_owned).or_else(|| marked.clone());
    let is_known = known.is_some();
    let settings = known.unwrap_or_else(|| USUAL.into());
    let folder = folder_of(&settings);
    if is_held(&folder.join(LOCK)) {
        return None;
    }
    // A guess may be right for another daemon.
    let is_its = |journal: &Journal| is_known || real_path(&journal.socket) == real_path(socket);
    match (Stack { folder }.latest().ok().flatten().filter(is_its), marked) {
        (Some(journal), _) if !journal.finished => {
            Some(Unfinished { settings, began: Some(journal.began) })
        }
        // A plain user sees that much.
        (None, Some(settings)) => Some(Unfinished { settings, began: None }),
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
