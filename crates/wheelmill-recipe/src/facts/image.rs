//! Images that hold what a CUDA release needs, for engines that start from an image.

use wheelmill_model::CudaVersion;

/// The image to build in for a CUDA release when the user names none; `None` where no image of that
/// release is kept in a registry any more.
///
/// From CUDA 13 on the toolkit comes from the package index, and PyPA's image brings a compiler that
/// is new enough, every Python, and the oldest C library that wheels may ask for
/// (<https://github.com/pypa/manylinux>). Before, NVIDIA's own images have the toolkit
/// (<https://hub.docker.com/r/nvidia/cuda/tags>); those up to 11.7 were withdrawn.
#[must_use]
pub fn default_image(cuda: CudaVersion) -> Option<String> {
    const PATCHES: [((u16, u16), u8); 10] = [
        ((11, 8), 0),
        ((12, 0), 1),
        ((12, 1), 1),
        ((12, 2), 2),
        ((12, 3), 2),
        ((12, 4), 1),
        ((12, 5), 1),
        ((12, 6), 3),
        ((12, 8), 1),
        ((12, 9), 1),
    ];
    if cuda.major >= 13 {
        let machine = std::env::consts::ARCH;
        return Some(format!("quay.io/pypa/manylinux_2_28_{machine}"));
    }
    let (_, patch) = PATCHES.iter().find(|(release, _)| *release == (cuda.major, cuda.minor))?;
    Some(format!("docker.io/nvidia/cuda:{cuda}.{patch}-devel-ubuntu22.04"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_that_is_kept_has_an_image() {
        let image = |major, minor| default_image(CudaVersion::new(major, minor));
        assert_eq!(image(12, 8).unwrap(), "docker.io/nvidia/cuda:12.8.1-devel-ubuntu22.04");
        assert!(image(13, 0).unwrap().starts_with("quay.io/pypa/manylinux_2_28_"));
        assert_eq!((image(9, 0), image(12, 7)), (None, None));
    }
}
