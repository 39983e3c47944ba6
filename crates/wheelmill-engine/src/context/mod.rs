//! A Dockerfile and the folder that it copies from: what of it counts, its digest, and the archive
//! that builders take.

mod ignored;
mod pattern;
mod read;

pub use read::BuildContext;
pub(crate) use read::DOCKERFILE;
