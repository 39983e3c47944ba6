//! Builds a cell by an image of the user's own: the image is made, its installer runs with a
//! volume, and what is new in the volume is judged and stored.

mod container;
mod failure;
mod look;
mod work;

pub(super) use look::InstallerError;
pub(super) use work::ImageWork;
