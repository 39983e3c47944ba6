//! NVIDIA's driver on this machine, and its GPUs: read from the kernel's files and from
//! `nvidia-smi`, without loading any of the driver's libraries.

mod driver;
mod read;
mod tool;

pub use driver::{NvidiaDriver, NvidiaGpu};
