//! Builds of a small CUDA package with the real program: real compilers, real containers, PyPI.
//!
//! All tests share one cache below the target folder, so that its environment is made once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cells;
mod compile_cache;
mod daemons;
mod failures;
mod finishing;
mod gate;
mod gpus;
mod interruptions;
mod isolation;
mod layout;
mod place;
mod resume;
mod shell;
mod users;
mod wheels;
