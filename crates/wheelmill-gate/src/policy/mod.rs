//! Which compile runs when: a state machine without clock, threads or files. Events go in, decisions
//! come out; the same events give the same decisions.

mod compile;
mod event;
mod machine;
mod settings;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use compile::{CellId, CompileId, Wish};
pub use event::{Decision, Ended, Event, Failure, Pressure};
pub use machine::Policy;
pub use settings::PolicySettings;
