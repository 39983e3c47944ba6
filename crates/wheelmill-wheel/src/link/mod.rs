//! Whether the loader would find every symbol of a wheel's modules, in an environment that is given
//! as a folder.

mod abi3;
mod check;
mod environment;
mod files;
mod imports;
mod loader;
mod owner;
mod report;
mod system;
mod torch;

pub(crate) use check::check;
pub use environment::{Environment, EnvironmentError, Links};
