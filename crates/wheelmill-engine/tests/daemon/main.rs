//! The engines of Docker and Podman, with real daemons of the tests' own: never the machine's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what is not tested must be said")]

mod administration;
mod checks;
mod faults;
mod gpus;
mod images;
mod support;
