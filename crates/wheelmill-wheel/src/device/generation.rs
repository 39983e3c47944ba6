//! The GPUs that a wheel may meet.

use serde::Serialize;
use wheelmill_model::CudaArch;

/// GPUs of one compute capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GpuGeneration {
    /// Their compute capability.
    pub arch: CudaArch,
    /// What they are called.
    pub name: &'static str,
    /// Well-known ones.
    pub examples: &'static str,
    /// Whether they are modules of the Jetson and DRIVE lines, which run machine code that was
    /// made for exactly them only: NVIDIA's promise between minor numbers is for desktops
    /// (CUDA C++ Programming Guide, "Binary Compatibility").
    pub embedded: bool,
}

const fn gpu(number: u16, name: &'static str, examples: &'static str) -> GpuGeneration {
    GpuGeneration { arch: CudaArch::new(number), name, examples, embedded: false }
}

const fn board(number: u16, name: &'static str, examples: &'static str) -> GpuGeneration {
    GpuGeneration { arch: CudaArch::new(number), name, examples, embedded: true }
}

impl GpuGeneration {
    /// All of them, in ascending order (NVIDIA, "CUDA GPU Compute Capability").
    pub const ALL: &'static [Self] = &[
        gpu(50, "Maxwell", "GTX 750 Ti, M10"),
        gpu(52, "Maxwell", "GTX 980, M40"),
        board(53, "Maxwell", "Jetson Nano"),
        gpu(60, "Pascal", "P100"),
        gpu(61, "Pascal", "GTX 1080, P40"),
        board(62, "Pascal", "Jetson TX2"),
        gpu(70, "Volta", "V100"),
        board(72, "Volta", "Jetson Xavier"),
        gpu(75, "Turing", "RTX 2080, T4"),
        gpu(80, "Ampere", "A100"),
        gpu(86, "Ampere", "RTX 3090, A10"),
        board(87, "Ampere", "Jetson Orin"),
        gpu(89, "Ada", "RTX 4090, L40"),
        gpu(90, "Hopper", "H100, H200"),
        gpu(100, "Blackwell", "B200"),
        gpu(103, "Blackwell", "B300"),
        board(110, "Blackwell", "Jetson Thor"),
        gpu(120, "Blackwell", "RTX 5090"),
        gpu(121, "Blackwell", "DGX Spark"),
    ];
}
