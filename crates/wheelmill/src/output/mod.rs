//! Everything that reaches a person's eyes, or another program's: colours, tables, the views of a
//! run.

mod doing;
mod echo;
pub(crate) mod human;
pub(crate) mod live;
mod page;
mod plain;
mod printer;
pub(crate) mod report;
mod safe;
pub(crate) mod style;
mod table;
pub(crate) mod width;
mod wrap;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use live::LiveView;
pub(crate) use page::Page;
pub(crate) use plain::PlainView;
pub(crate) use printer::{Color, Printer, put, stderr_moves, talk, warning, warning_of};
pub(crate) use safe::{SafeWriter, safe, safe_json};
pub(crate) use table::{Field, Table};

/// The value behind a lock. A thread that panicked while it drew has left nothing worse than a
/// stale line.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
