//! The embedded engine, for real: containers are made, as root, as a user with subordinate
//! identities, and as a user with one.

mod isolation;
mod layers;
mod life;
mod limits;
mod support;
mod system;
