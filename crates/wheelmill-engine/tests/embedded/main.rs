//! The embedded engine, for real: containers are made, as root, as a user with subordinate
//! identities, and as a user with one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what is not tested must be said")]

mod fallback;
mod images;
mod isolation;
mod kept;
mod layers;
mod life;
mod limits;
mod probe;
mod support;
mod system;
