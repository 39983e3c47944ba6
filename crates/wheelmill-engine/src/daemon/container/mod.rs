//! Containers: what daemons are asked for, how they are followed to their end, what they see of GPUs
//! and volumes.

pub(in crate::daemon) mod gpu;
pub(in crate::daemon) mod gpu_look;
mod memory;
pub(in crate::daemon) mod of_image;
pub(in crate::daemon) mod run;
mod terminal;
pub(in crate::daemon) mod volume;
