//! Images: what steps and containers begin with, the images of steps, and those of the user's own
//! Dockerfiles.

pub(in crate::daemon) mod base;
mod buildkit;
mod dockerfile;
pub(in crate::daemon) mod remains;
pub(in crate::daemon) mod step;
pub(in crate::daemon) mod user;
pub(in crate::daemon) mod written;
