//! What a wish changes on a machine, and what that costs; nothing is changed here.

mod ask;
mod bridge;
mod change;
mod check;
mod danger;
mod file;
mod leaf;
mod package;
mod planner;
mod unit;

pub(crate) use ask::{Answer, ask, plan_with_daemon, users};
pub use change::{Action, HostPlan, KeyChange, Refusal, RefusalKind, Remark};
pub(crate) use check::problems;
pub(crate) use danger::free;
pub use file::{FileChange, FileError, LeafChange, Owner};
pub(crate) use file::{FileState, real_path};
pub(crate) use leaf::{Expectation, NVIDIA};
pub(crate) use package::commands as toolkit_commands;
pub use planner::{PlanError, plan};
