//! CUDA releases: targets, host compilers, and the PyTorch builds made with them. What they ask of
//! the driver is in `wheelmill_model::DriverNeed`.
//!
//! The sources named in the table:
//! - "Spack": Spack's `CudaPackage`, which follows the tables that NVIDIA's headers carry.
//! - "compiler": read out of that release's own `ptxas --help` and `crt/host_config.h`.
//! - PyTorch: the release matrix in PyTorch's RELEASE.md from 1.12 on, its page of previous
//!   versions before that.

use wheelmill_model::{CudaArch, CudaVersion, Feature, TorchVersion};

/// One CUDA toolkit release.
#[derive(Clone, Copy, Debug)]
pub struct CudaRelease {
    /// The release.
    pub version: CudaVersion,
    /// Every architecture that the release makes machine code for, ascending.
    pub architectures: &'static [CudaArch],
    /// The newest major version of gcc that its compiler accepts.
    pub max_gcc: u16,
    /// The newest major version of clang that its compiler accepts, where it is known.
    pub max_clang: Option<u16>,
    /// The PyTorch releases with an official build for it.
    pub torch: &'static [SeriesRange],
    /// Where targets and compiler limits were read.
    pub source: &'static str,
}

impl CudaRelease {
    /// Whether the release makes machine code for an architecture.
    #[must_use]
    pub fn knows(&self, arch: CudaArch) -> bool {
        self.architectures.binary_search(&arch).is_ok()
    }

    /// Whether there is an official build of a PyTorch release for it. Without a patch number any
    /// patch of the series counts.
    #[must_use]
    pub fn has_torch(&self, torch: TorchVersion) -> bool {
        self.torch.iter().any(|range| range.holds(torch))
    }
}

/// PyTorch releases from one to another, both included.
#[derive(Clone, Copy, Debug)]
pub struct SeriesRange {
    /// The first release; without a patch number, its series from the start.
    pub first: TorchVersion,
    /// The last release; without a patch number, its series to the end.
    pub last: TorchVersion,
}

impl SeriesRange {
    /// Whether a release lies in the range.
    #[must_use]
    pub fn holds(&self, torch: TorchVersion) -> bool {
        let after_first = match (torch.patch, self.first.patch) {
            (Some(_), Some(_)) => torch >= self.first,
            _ => torch.series() >= self.first.series(),
        };
        let before_last = match (torch.patch, self.last.patch) {
            (Some(_), Some(_)) => torch <= self.last,
            _ => torch.series() <= self.last.series(),
        };
        after_first && before_last
    }
}

/// The facts of a release; `None` for one that the table does not hold.
#[must_use]
pub fn cuda_release(version: CudaVersion) -> Option<&'static CudaRelease> {
    RELEASES
        .binary_search_by_key(&version, |release| release.version)
        .ok()
        .map(|index| &RELEASES[index])
}

/// Every release, ascending.
#[must_use]
pub const fn cuda_releases() -> &'static [CudaRelease] {
    RELEASES
}

/// The newest release of the table.
#[must_use]
pub fn newest_cuda() -> &'static CudaRelease {
    RELEASES.last().expect("the table of CUDA releases is not empty")
}

/// The first release that makes machine code for an architecture.
#[must_use]
pub fn release_that_added(arch: CudaArch) -> Option<&'static CudaRelease> {
    RELEASES.iter().find(|release| release.knows(arch))
}

const fn base(number: u16) -> CudaArch {
    CudaArch::new(number)
}

const fn family(number: u16) -> CudaArch {
    CudaArch { number, feature: Feature::Family }
}

const fn specific(number: u16) -> CudaArch {
    CudaArch { number, feature: Feature::Specific }
}

const fn series(first: (u16, u16), last: (u16, u16)) -> SeriesRange {
    SeriesRange {
        first: TorchVersion::new(first.0, first.1),
        last: TorchVersion::new(last.0, last.1),
    }
}

const fn exactly(major: u16, minor: u16, patch: u16) -> SeriesRange {
    let version = TorchVersion { major, minor, patch: Some(patch) };
    SeriesRange { first: version, last: version }
}

/// Kepler to Volta. Jetson's 7.2 came with 9.0.
#[rustfmt::skip]
const TO_VOLTA: &[CudaArch] = &[
    base(30), base(32), base(35), base(37), base(50), base(52), base(53), base(60), base(61),
    base(62), base(70), base(72),
];

#[rustfmt::skip]
const TO_TURING: &[CudaArch] = &[
    base(30), base(32), base(35), base(37), base(50), base(52), base(53), base(60), base(61),
    base(62), base(70), base(72), base(75),
];

/// 11.0 dropped 3.0 and 3.2.
#[rustfmt::skip]
const TO_AMPERE: &[CudaArch] = &[
    base(35), base(37), base(50), base(52), base(53), base(60), base(61), base(62), base(70),
    base(72), base(75), base(80),
];

#[rustfmt::skip]
const TO_AMPERE_86: &[CudaArch] = &[
    base(35), base(37), base(50), base(52), base(53), base(60), base(61), base(62), base(70),
    base(72), base(75), base(80), base(86),
];

#[rustfmt::skip]
const TO_ORIN: &[CudaArch] = &[
    base(35), base(37), base(50), base(52), base(53), base(60), base(61), base(62), base(70),
    base(72), base(75), base(80), base(86), base(87),
];

#[rustfmt::skip]
const KEPLER_TO_HOPPER: &[CudaArch] = &[
    base(35), base(37), base(50), base(52), base(53), base(60), base(61), base(62), base(70),
    base(72), base(75), base(80), base(86), base(87), base(89), base(90),
];

/// 12.0 dropped Kepler.
#[rustfmt::skip]
const MAXWELL_TO_HOPPER: &[CudaArch] = &[
    base(50), base(52), base(53), base(60), base(61), base(62), base(70), base(72), base(75),
    base(80), base(86), base(87), base(89), base(90), specific(90),
];

#[rustfmt::skip]
const MAXWELL_TO_BLACKWELL: &[CudaArch] = &[
    base(50), base(52), base(53), base(60), base(61), base(62), base(70), base(72), base(75),
    base(80), base(86), base(87), base(89), base(90), specific(90), base(100), specific(100),
    base(101), specific(101), base(120), specific(120),
];

#[rustfmt::skip]
const MAXWELL_TO_BLACKWELL_FAMILIES: &[CudaArch] = &[
    base(50), base(52), base(53), base(60), base(61), base(62), base(70), base(72), base(75),
    base(80), base(86), base(87), base(89), base(90), specific(90), base(100), family(100),
    specific(100), base(101), family(101), specific(101), base(103), family(103), specific(103),
    base(120), family(120), specific(120), base(121), family(121), specific(121),
];

/// 13.0 dropped everything before Turing and renamed 10.1 to 11.0.
#[rustfmt::skip]
const TURING_TO_BLACKWELL: &[CudaArch] = &[
    base(75), base(80), base(86), base(87), base(88), base(89), base(90), specific(90),
    base(100), family(100), specific(100), base(103), family(103), specific(103), base(110),
    family(110), specific(110), base(120), family(120), specific(120), base(121), family(121),
    specific(121),
];

#[rustfmt::skip]
const TURING_TO_RUBIN: &[CudaArch] = &[
    base(75), base(80), base(86), base(87), base(88), base(89), base(90), specific(90),
    base(100), family(100), specific(100), base(103), family(103), specific(103), base(107),
    family(107), specific(107), base(110), family(110), specific(110), base(120), family(120),
    specific(120), base(121), family(121), specific(121),
];

const SPACK: &str = "Spack CudaPackage";

/// The shortest way to write a row: version, targets, (gcc, clang), PyTorch, source. A clang of 0
/// stands for "not known".
const fn row(
    version: (u16, u16),
    architectures: &'static [CudaArch],
    compilers: (u16, u16),
    torch: &'static [SeriesRange],
    source: &'static str,
) -> CudaRelease {
    CudaRelease {
        version: CudaVersion::new(version.0, version.1),
        architectures,
        max_gcc: compilers.0,
        max_clang: if compilers.1 == 0 { None } else { Some(compilers.1) },
        torch,
        source,
    }
}

#[rustfmt::skip]
const RELEASES: &[CudaRelease] = &[
    row((9, 0), TO_VOLTA, (6, 0), &[series((0, 3), (1, 1))], SPACK),
    row((9, 1), TO_VOLTA, (6, 0), &[exactly(0, 3, 1), exactly(0, 4, 0)], SPACK),
    row((9, 2), TO_VOLTA, (7, 0), &[exactly(0, 4, 1), series((1, 2), (1, 7))], SPACK),
    row((10, 0), TO_TURING, (7, 0), &[series((1, 0), (1, 4))], SPACK),
    row((10, 1), TO_TURING, (8, 0), &[series((1, 3), (1, 8))], SPACK),
    row((10, 2), TO_TURING, (8, 0), &[series((1, 5), (1, 12))], SPACK),
    row((11, 0), TO_AMPERE, (9, 0), &[series((1, 7), (1, 7))], SPACK),
    row((11, 1), TO_AMPERE_86, (10, 0), &[series((1, 8), (1, 10))], SPACK),
    row((11, 2), TO_AMPERE_86, (10, 0), &[], SPACK),
    row((11, 3), TO_AMPERE_86, (10, 0), &[series((1, 10), (1, 12))], SPACK),
    // gcc 11 from 11.4.1 on; 11.4.0 stopped at 10.
    row((11, 4), TO_ORIN, (11, 0), &[], SPACK),
    row((11, 5), TO_ORIN, (11, 0), &[series((1, 11), (1, 11))], SPACK),
    row((11, 6), TO_ORIN, (11, 0), &[series((1, 12), (1, 13))], SPACK),
    row((11, 7), TO_ORIN, (11, 13), &[series((1, 13), (2, 0))], "compiler 11.7.99"),
    row((11, 8), KEPLER_TO_HOPPER, (11, 14), &[series((2, 0), (2, 7))], "compiler 11.8.89"),
    row((12, 0), MAXWELL_TO_HOPPER, (12, 14), &[], "compiler 12.0.140"),
    row((12, 1), MAXWELL_TO_HOPPER, (12, 15), &[series((2, 1), (2, 5))], "compiler 12.1.105"),
    row((12, 2), MAXWELL_TO_HOPPER, (12, 16), &[], "compiler 12.2.140"),
    row((12, 3), MAXWELL_TO_HOPPER, (12, 16), &[], "compiler 12.3.107"),
    row((12, 4), MAXWELL_TO_HOPPER, (13, 17), &[series((2, 4), (2, 6))], "compiler 12.4.131"),
    row((12, 5), MAXWELL_TO_HOPPER, (13, 17), &[], "compiler 12.5.82"),
    row((12, 6), MAXWELL_TO_HOPPER, (13, 18), &[series((2, 6), (2, 14))], "compiler 12.6.85"),
    row((12, 8), MAXWELL_TO_BLACKWELL, (14, 19), &[series((2, 7), (2, 11))], "compiler 12.8.93"),
    row((12, 9), MAXWELL_TO_BLACKWELL_FAMILIES, (14, 19), &[series((2, 8), (2, 8))], "compiler 12.9.86"),
    row((13, 0), TURING_TO_BLACKWELL, (15, 20), &[series((2, 9), (2, 14))], "compiler 13.0.88"),
    row((13, 1), TURING_TO_BLACKWELL, (15, 21), &[], "compiler 13.1.115"),
    row((13, 2), TURING_TO_BLACKWELL, (15, 21), &[series((2, 12), (2, 15))], "compiler 13.2.86"),
    row((13, 3), TURING_TO_BLACKWELL, (15, 21), &[], "compiler 13.3.73"),
    row((13, 4), TURING_TO_RUBIN, (16, 22), &[], "compiler 13.4.92"),
    row((13, 5), TURING_TO_RUBIN, (16, 22), &[], "compiler 13.5.37"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn torch(text: &str) -> TorchVersion {
        text.parse().unwrap()
    }

    #[test]
    fn rows_ascend_and_so_do_their_architectures() {
        assert!(RELEASES.is_sorted_by(|one, next| one.version < next.version));
        for release in RELEASES {
            assert!(
                release.architectures.is_sorted_by(|one, next| one < next),
                "{}",
                release.version
            );
        }
    }

    #[test]
    fn limits_never_step_back_from_one_release_to_the_next() {
        assert!(RELEASES.is_sorted_by_key(|release| release.max_gcc));
    }

    #[test]
    fn the_corners_of_the_table() {
        let release = |text: &str| cuda_release(text.parse().unwrap());
        assert!(release("9.0").unwrap().knows(CudaArch::new(70)));
        assert!(!release("11.7").unwrap().knows(CudaArch::new(90)));
        assert!(release("11.8").unwrap().knows(CudaArch::new(90)));
        assert!(!release("13.0").unwrap().knows(CudaArch::new(70)));
        assert!(release("13.5").unwrap().knows("10.7".parse().unwrap()));
        assert!(release("8.0").is_none() && release("12.7").is_none());
    }

    #[test]
    fn patch_releases_are_told_apart_only_when_named() {
        let old = cuda_release(CudaVersion::new(9, 1)).unwrap();
        assert!(old.has_torch(torch("0.4")) && old.has_torch(torch("0.4.0")));
        assert!(!old.has_torch(torch("0.4.1")));
        let new = cuda_release(CudaVersion::new(13, 0)).unwrap();
        assert!(new.has_torch(torch("2.11.1")) && !new.has_torch(torch("2.15")));
    }
}
