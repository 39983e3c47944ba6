//! Facts about CUDA and PyTorch releases, as data with their sources. They decide which cells are
//! possible, and they age: a PyTorch newer than the table is unknown, not impossible.

mod compiler;
mod cuda;
mod image;
mod system;
mod toolkit;
mod torch;

pub use compiler::gcc_fits;
pub use cuda::{
    CudaRelease, SeriesRange, cuda_release, cuda_releases, newest_cuda, release_that_added,
};
pub use image::default_image;
pub use system::GENERAL_PACKAGES;
pub use toolkit::{is_toolkit_part, toolkit_part_like};
pub use torch::{
    TorchBuilds, cuda_with_builds, newest_torch, pypi_torch_cuda, torch_builds, torch_series,
    torch_with_builds,
};
