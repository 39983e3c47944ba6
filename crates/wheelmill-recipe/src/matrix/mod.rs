//! From axes to cells.

mod check;
mod complete;
mod expand;
mod judge;
mod wished;

pub(crate) use check::check_combinations;
pub use expand::{Axes, Machine, expand};
pub use judge::possible_cuda;
