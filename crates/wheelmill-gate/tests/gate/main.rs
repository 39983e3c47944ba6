//! The program `gate` and its server, with real processes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod program;
mod setup;
