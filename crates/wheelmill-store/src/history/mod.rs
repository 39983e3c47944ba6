//! The history of builds: runs, their attempts at cells, and what happened in each.

mod compiles;
mod outcome;
mod read;
mod settle;
mod types;
mod write;

pub use outcome::{CancelledBy, Outcome, RunOutcome};
pub use types::{
    Attempt, AttemptDetail, AttemptEnd, AttemptId, CellCounts, Event, NewCell, NewRun, PhaseSpan,
    RunDetail, RunSummary,
};
pub(crate) use types::{bytes, seconds};
