//! Unpacks layers into folders that overlays can be made of, trusting nothing in them.

mod error;
mod job;
mod layer;
mod metadata;
mod meter;
mod name;
mod tree;
mod xattr;

pub use error::UnpackError;
pub use job::{LayerSource, UnpackJob, UnpackOptions, Unpacked, XattrMode};
pub use layer::unpack;
pub(crate) use xattr::{is_opaque, set as set_attribute};
