//! The parts of the CUDA toolkit that can be added to a build.

use crate::suggest::closest;

/// The extras of `cuda-toolkit` 13.0 to 13.5, as its metadata names them
/// (<https://pypi.org/project/cuda-toolkit/>). Later releases may have more.
const PARTS: [&str; 30] = [
    "all",
    "cccl",
    "crt",
    "cublas",
    "cudart",
    "cudla",
    "cufft",
    "cufile",
    "culibos",
    "cuobjdump",
    "cupti",
    "curand",
    "cusolver",
    "cusparse",
    "cuxxfilt",
    "npp",
    "nvcc",
    "nvdisasm",
    "nvfatbin",
    "nvjitlink",
    "nvjpeg",
    "nvml",
    "nvptxcompiler",
    "nvrtc",
    "nvtx",
    "nvvm",
    "opencl",
    "profiler",
    "sanitizer",
    "tileiras",
];

/// Whether a part of the toolkit is known.
#[must_use]
pub fn is_toolkit_part(name: &str) -> bool {
    PARTS.contains(&name)
}

/// The known part whose name is near to one that is not known.
#[must_use]
pub fn toolkit_part_like(name: &str) -> Option<&'static str> {
    // Also by the name of the library: `libcublas`.
    closest(name.strip_prefix("lib").unwrap_or(name), PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_names_of_libraries_find_their_part() {
        assert!(is_toolkit_part("cublas") && !is_toolkit_part("cubalas"));
        assert_eq!(toolkit_part_like("cubalas"), Some("cublas"));
        assert_eq!(toolkit_part_like("libcufft"), Some("cufft"));
        assert_eq!(toolkit_part_like("tensorrt"), None);
    }
}
