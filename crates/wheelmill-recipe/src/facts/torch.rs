//! PyTorch releases: the CUDA releases and Pythons of their official builds.

use wheelmill_model::{CudaVersion, PythonVersion, TorchVersion};

use super::cuda::{cuda_release, cuda_releases};

/// The official builds of one PyTorch series.
#[derive(Clone, Copy, Debug)]
pub struct TorchBuilds {
    /// The series, without a patch number.
    pub series: TorchVersion,
    /// The Pythons it was built for, ascending.
    pub pythons: &'static [PythonVersion],
    /// The CUDA release of the build on PyPI, which is what a plain install gets; `None` where it
    /// is not known.
    pub pypi_cuda: Option<CudaVersion>,
}

impl TorchBuilds {
    /// The CUDA releases with an official build, ascending.
    pub fn cuda(&self) -> impl DoubleEndedIterator<Item = CudaVersion> + use<> {
        cuda_with_builds(self.series)
    }

    /// The oldest Python.
    #[must_use]
    pub fn oldest_python(&self) -> PythonVersion {
        *self.pythons.first().expect("every series has a Python")
    }

    /// The newest Python.
    #[must_use]
    pub fn newest_python(&self) -> PythonVersion {
        *self.pythons.last().expect("every series has a Python")
    }
}

/// The CUDA releases, ascending, that have an official build of a PyTorch release.
pub fn cuda_with_builds(torch: TorchVersion) -> impl DoubleEndedIterator<Item = CudaVersion> {
    cuda_releases()
        .iter()
        .filter(move |release| release.has_torch(torch))
        .map(|release| release.version)
}

/// The newest PyTorch release with an official build for a CUDA release: a series, or the one
/// patch of it that had such a build.
#[must_use]
pub fn torch_with_builds(cuda: CudaVersion) -> Option<TorchVersion> {
    let release = cuda_release(cuda)?;
    release.torch.iter().map(|range| range.last).max()
}

/// The official builds of a release's series; `None` for one that the table does not hold.
#[must_use]
pub fn torch_builds(torch: TorchVersion) -> Option<&'static TorchBuilds> {
    SERIES
        .binary_search_by_key(&torch.series(), |builds| builds.series)
        .ok()
        .map(|index| &SERIES[index])
}

/// Every series, ascending.
#[must_use]
pub const fn torch_series() -> &'static [TorchBuilds] {
    SERIES
}

/// The newest series of the table.
#[must_use]
pub fn newest_torch() -> &'static TorchBuilds {
    SERIES.last().expect("the table of PyTorch series is not empty")
}

/// The CUDA release of the build that PyPI carries.
#[must_use]
pub fn pypi_torch_cuda(torch: TorchVersion) -> Option<CudaVersion> {
    torch_builds(torch)?.pypi_cuda
}

const fn python(minor: u16) -> PythonVersion {
    PythonVersion::new(3, minor)
}

const PYTHON_2: PythonVersion = PythonVersion::new(2, 7);

const fn builds(
    series: (u16, u16),
    pythons: &'static [PythonVersion],
    pypi_cuda: Option<(u16, u16)>,
) -> TorchBuilds {
    TorchBuilds {
        series: TorchVersion::new(series.0, series.1),
        pythons,
        pypi_cuda: match pypi_cuda {
            Some((major, minor)) => Some(CudaVersion::new(major, minor)),
            None => None,
        },
    }
}

/// Pythons from 1.0 on: the tags of the Linux x86-64 wheels on PyPI. Those of 0.3 and 0.4: the page
/// of previous versions. PyPI's CUDA release: the requirements in the wheels' metadata, which name
/// it from 1.13 on.
#[rustfmt::skip]
const SERIES: &[TorchBuilds] = &[
    builds((0, 3), &[PYTHON_2, python(5), python(6)], None),
    builds((0, 4), &[PYTHON_2, python(5), python(6), python(7)], None),
    builds((1, 0), &[PYTHON_2, python(5), python(6), python(7)], None),
    builds((1, 1), &[PYTHON_2, python(5), python(6), python(7)], None),
    builds((1, 2), &[PYTHON_2, python(5), python(6), python(7)], None),
    builds((1, 3), &[PYTHON_2, python(5), python(6), python(7)], None),
    builds((1, 4), &[PYTHON_2, python(5), python(6), python(7), python(8)], None),
    builds((1, 5), &[python(5), python(6), python(7), python(8)], None),
    builds((1, 6), &[python(6), python(7), python(8)], None),
    builds((1, 7), &[python(6), python(7), python(8), python(9)], None),
    builds((1, 8), &[python(6), python(7), python(8), python(9)], None),
    builds((1, 9), &[python(6), python(7), python(8), python(9)], None),
    builds((1, 10), &[python(6), python(7), python(8), python(9)], None),
    builds((1, 11), &[python(7), python(8), python(9), python(10)], None),
    builds((1, 12), &[python(7), python(8), python(9), python(10)], None),
    builds((1, 13), &[python(7), python(8), python(9), python(10), python(11)], Some((11, 7))),
    builds((2, 0), &[python(8), python(9), python(10), python(11)], Some((11, 7))),
    builds((2, 1), &[python(8), python(9), python(10), python(11)], Some((12, 1))),
    builds((2, 2), &[python(8), python(9), python(10), python(11), python(12)], Some((12, 1))),
    builds((2, 3), &[python(8), python(9), python(10), python(11), python(12)], Some((12, 1))),
    builds((2, 4), &[python(8), python(9), python(10), python(11), python(12)], Some((12, 1))),
    builds((2, 5), &[python(9), python(10), python(11), python(12), python(13)], Some((12, 4))),
    builds((2, 6), &[python(9), python(10), python(11), python(12), python(13)], Some((12, 4))),
    builds((2, 7), &[python(9), python(10), python(11), python(12), python(13)], Some((12, 6))),
    builds((2, 8), &[python(9), python(10), python(11), python(12), python(13)], Some((12, 8))),
    builds((2, 9), &[python(10), python(11), python(12), python(13), python(14)], Some((12, 8))),
    builds((2, 10), &[python(10), python(11), python(12), python(13), python(14)], Some((12, 8))),
    builds((2, 11), &[python(10), python(11), python(12), python(13), python(14)], Some((13, 0))),
    builds((2, 12), &[python(10), python(11), python(12), python(13), python(14)], Some((13, 0))),
    builds((2, 13), &[python(10), python(11), python(12), python(13), python(14)], Some((13, 0))),
    builds((2, 14), &[python(10), python(11), python(12), python(13), python(14)], Some((13, 0))),
    builds((2, 15), &[python(11), python(12), python(13), python(14), python(15)], Some((13, 2))),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_ascend_and_each_has_builds() {
        assert!(SERIES.is_sorted_by(|one, next| one.series < next.series));
        for builds in SERIES {
            assert!(builds.cuda().next().is_some(), "{}", builds.series);
            assert!(builds.pythons.is_sorted_by(|one, next| one < next), "{}", builds.series);
        }
    }

    #[test]
    fn what_pypi_carries_is_one_of_the_builds() {
        for builds in SERIES {
            let carried = builds.pypi_cuda;
            assert!(
                carried.is_none_or(|cuda| builds.cuda().any(|known| known == cuda)),
                "{}",
                builds.series
            );
        }
    }

    #[test]
    fn every_series_that_the_cuda_table_names_is_here() {
        for range in cuda_releases().iter().flat_map(|release| release.torch) {
            assert!(torch_builds(range.first).is_some(), "{}", range.first);
            assert!(torch_builds(range.last).is_some(), "{}", range.last);
        }
    }

    #[test]
    fn builds_of_a_series_are_those_of_its_release_page() {
        let cuda = |text: &str| -> Vec<String> {
            let builds = torch_builds(text.parse().unwrap()).unwrap();
            builds.cuda().map(|cuda| cuda.to_string()).collect()
        };
        assert_eq!(cuda("2.11"), ["12.6", "12.8", "13.0"]);
        assert_eq!(cuda("2.15"), ["13.2"]);
        assert_eq!(cuda("1.7"), ["9.2", "10.1", "10.2", "11.0"]);
    }
}
