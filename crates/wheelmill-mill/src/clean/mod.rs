//! What wheelmill keeps on disk, what of it a budget lets stay, and the removal of the rest.

mod choice;
mod cleaner;
mod folders;
mod item;

pub use cleaner::{CleanSettings, Cleaner, DaemonPlace};
pub(crate) use folders::remove_locked;
pub use item::{CleanItem, CleanKind, CleanState, NotLookedAt, Survey};
