//! A Dockerfile and the folder that it copies from: what of it counts, its digest, and the archive
//! that builders take.

mod hashing;
mod ignored;
mod pack;
mod pattern;
mod read;

pub(crate) use pack::DOCKERFILE;
pub use read::BuildContext;
