//! Writes a wheel anew: under a version with a local label, with its torch pinned, and always in the
//! same bytes.

mod archive;
mod content;
mod error;
mod label;
mod metadata;
mod new;
mod old;
mod options;
mod pack;
mod procedure;

pub use error::FinishError;
pub use label::{LabelError, labelled};
pub use metadata::RequirementConflict;
pub use options::{Finish, Finished, Pin};
pub use procedure::finish;
