//! Folders that hold an image for each wheel: a Dockerfile that makes it, and an installer in it
//! that builds.
//!
//! ```text
//! configs/PyTorch/Dockerfile_cuda90_builder
//! build_contexts/pytorch/
//! ```

mod cell;
mod error;
mod find;
mod names;
mod print;
mod read;
mod select;

pub use cell::{Layout, LayoutCell, PlannedLayout};
pub use error::LayoutError;
pub(crate) use read::layout_cells;
