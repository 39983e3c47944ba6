//! Bases for machines that reach no registry: the root of a distribution, made from its packages
//! with debootstrap or mmdebstrap, as a tar.

mod make;
mod mirror;
mod process;
mod release;
mod tool;

pub use make::{Bootstrap, bootstrap};
pub use release::Release;
