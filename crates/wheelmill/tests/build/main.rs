//! Builds of a small CUDA package with the real program: real compilers, real containers, PyPI.
//!
//! All tests share one cache below the target folder, so that its environment is made once.

mod failures;
mod interruptions;
mod place;
mod users;
mod wheels;
