//! The program `gate` and its server, with real processes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what is not tested must be said")]

mod cache;
mod hostile;
mod memory;
mod program;
mod server;
mod setup;
