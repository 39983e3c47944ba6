//! Does what a plan says, and takes it back.
//!
//! Beside the daemon's settings lies a folder `wheelmill` with a lock, and for each change that can be
//! taken back a folder with the files as they were, and a journal that is complete before the first
//! file changes. A file is replaced by a rename, so at every moment it is as before or as wanted; what
//! was begun and not finished is taken back by the next change.

mod attribute;
mod back;
mod change;
mod error;
mod interim;
mod journal;
mod marker;
mod procedure;
mod stack;
mod step;
mod tell;
mod unfinished;
mod verify;
mod write;

pub use change::{HostChange, HostSettings};
pub use error::HostError;
pub use procedure::{Consent, Outcome};
pub use stack::AppliedChange;
pub use step::Step;
pub use unfinished::{Unfinished, unfinished};
