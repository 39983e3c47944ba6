//! GPU code in native modules: NVIDIA's fat binaries, read, checked and judged.
//!
//! The layout is not published in full. What is relied on: `fatbinary_section.h` of the CUDA
//! toolkit for the wrapper and the sections, and files that nvcc 11.7 to 13.5 wrote.

mod check;
mod coverage;
mod file;
mod generation;
mod group;
mod header;
mod image;
mod payload;
mod read;
mod walk;

pub use coverage::{Containers, Coverage, ModuleCoverage, Support, coverage};
pub(crate) use file::read_file;
pub use file::{DeviceFile, DeviceFormat};
pub use generation::GpuGeneration;
pub use image::{Compression, Container, Image, ImageKind};
pub(crate) use read::read;
