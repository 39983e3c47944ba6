//! What the machine says about memory: of process trees, of control groups, of itself.

mod budget;
mod cgroup;
mod pressure;
mod tree;

pub(crate) use budget::{Share, budget, total_memory};
pub(crate) use cgroup::{Cgroup, oom_kills_of_machine};
pub(crate) use pressure::PressureMeter;
pub(crate) use tree::memory_below;
