//! Whether a host compiler fits a CUDA release.

use wheelmill_model::CudaVersion;

use super::cuda::{cuda_release, cuda_releases};
use crate::Impossible;

/// Why a gcc cannot be the host compiler of a CUDA release; `None` when it can, or when the
/// release is not in the table. What counts is the compiler inside the build environment.
#[must_use]
pub fn gcc_fits(cuda: CudaVersion, gcc_major: u16) -> Option<Impossible> {
    let release = cuda_release(cuda)?;
    if gcc_major <= release.max_gcc {
        return None;
    }
    let newer = cuda_releases()
        .iter()
        .find(|release| release.max_gcc >= gcc_major)
        .map(|release| format!(", or take CUDA {} or newer", release.version))
        .unwrap_or_default();
    Some(Impossible {
        code: "gcc-too-new",
        message: format!(
            "gcc {gcc_major} is too new for CUDA {cuda}, which accepts gcc up to {}",
            release.max_gcc
        ),
        hint: Some(format!("build in a base with gcc {} or older{newer}", release.max_gcc)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_is_too_new_is_refused_with_both_ways_out() {
        let cuda = CudaVersion::new(12, 1);
        assert!(gcc_fits(cuda, 12).is_none());
        let refused = gcc_fits(cuda, 14).unwrap();
        assert_eq!(refused.code, "gcc-too-new");
        assert_eq!(
            refused.hint.unwrap(),
            "build in a base with gcc 12 or older, or take CUDA 12.8 or newer"
        );
    }
}
