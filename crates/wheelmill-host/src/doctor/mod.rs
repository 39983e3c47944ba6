//! Whether a machine is ready: each check with what was seen and what to do about it.
//!
//! The facts are gathered once, in [`Facts::read`], by readers that are told where to look; the
//! checks are functions over them. Nothing of the machine is changed, but that a container is made
//! and removed where the ways to ask for GPUs are tried.

mod check;
mod fact;
mod result;
mod settings;

pub use check::diagnose;
pub use fact::{
    CdiFile, DaemonFacts, DaemonState, Facts, GpuTrial, SettingsFile, Toolkit, User, WorkFolder,
};
pub use result::{Check, Diagnosis};
pub use settings::{DoctorSettings, Need, TrialWish};
