//! What a wish changes on a machine, and what that costs; nothing is changed here.

mod bridge;
mod change;
mod check;
mod danger;
mod file;
mod leaf;
mod package;
mod planner;
mod unit;

pub use change::{Action, HostPlan, KeyChange, Refusal, RefusalKind, Remark};
pub use file::{FileChange, FileError, LeafChange, Owner};
pub(crate) use file::{FileState, real_path};
pub(crate) use leaf::Expectation;
pub use planner::{PlanError, plan};
