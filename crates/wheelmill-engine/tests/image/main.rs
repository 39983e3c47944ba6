//! Images, from evil tars to a real registry.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a failed test may panic and speak")]

mod build;
mod evil;
mod files;
mod overlay;
mod real_registry;
mod registry;
mod server;
mod sharing;
mod support;
mod unpack;
