//! NVIDIA's driver: its versions, and which of them each CUDA release needs.
//!
//! The table is from the CUDA Toolkit release notes ("CUDA Toolkit and Corresponding Driver
//! Versions"), NVIDIA's "CUDA Compatibility" guide for the driver that a whole family runs with,
//! and the versions of PTX that each release's own compiler writes.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::{CudaVersion, VersionError};

/// A version of NVIDIA's Linux driver, `580.65.06`.
#[derive(Clone, Debug)]
pub struct DriverVersion {
    numbers: Vec<u32>,
    text: String,
}

impl FromStr for DriverVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers = text.split('.').map(|part| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten()
        });
        match numbers.collect() {
            Some(numbers) => Ok(Self { numbers, text: text.to_owned() }),
            None => Err(VersionError::Unreadable {
                what: "driver",
                text: text.to_owned(),
                example: "580.65.06",
            }),
        }
    }
}

impl fmt::Display for DriverVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl Serialize for DriverVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialEq for DriverVersion {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

impl Eq for DriverVersion {}

impl PartialOrd for DriverVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DriverVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

/// What a CUDA release asks of the driver.
#[derive(Clone, Copy, Debug)]
pub struct DriverNeed {
    /// The release.
    pub cuda: CudaVersion,
    /// The version of the PTX language that the release writes.
    pub ptx: (u16, u16),
    minimum: &'static str,
    paired: Option<&'static str>,
}

impl DriverNeed {
    /// The oldest Linux driver that runs machine code of this release. From 11.0 on it is one per
    /// major release.
    #[must_use]
    pub fn minimum(&self) -> DriverVersion {
        self.minimum.parse().expect("the table holds versions")
    }

    /// The driver that came with the release: what PTX of it needs to be compiled on the user's
    /// machine, and the first that has all of its functions. `None` where it is not known.
    #[must_use]
    pub fn paired(&self) -> Option<DriverVersion> {
        self.paired.map(|text| text.parse().expect("the table holds versions"))
    }

    /// What a release asks; `None` for one that the table does not hold.
    #[must_use]
    pub fn of(cuda: CudaVersion) -> Option<&'static Self> {
        let found = NEEDS.binary_search_by_key(&cuda, |need| need.cuda);
        found.ok().map(|index| &NEEDS[index])
    }

    /// What every release asks, ascending.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        NEEDS
    }

    /// The oldest release that writes PTX of this version or a later one: drivers from its own on
    /// can compile it.
    #[must_use]
    pub fn of_ptx(version: (u16, u16)) -> Option<&'static Self> {
        NEEDS.iter().find(|need| need.ptx >= version)
    }

    /// The newest release that came with this driver or an older one, so that the driver supports
    /// all of it. Releases whose driver is not known are passed over.
    #[must_use]
    pub fn newest_of(driver: &DriverVersion) -> Option<&'static Self> {
        NEEDS.iter().rfind(|need| need.paired().is_some_and(|paired| paired <= *driver))
    }
}

/// Release, PTX, minimum and paired driver; an empty one stands for "not known".
const fn row(
    cuda: (u16, u16),
    ptx: (u16, u16),
    minimum: &'static str,
    paired: &'static str,
) -> DriverNeed {
    let paired = if paired.is_empty() { None } else { Some(paired) };
    DriverNeed { cuda: CudaVersion::new(cuda.0, cuda.1), ptx, minimum, paired }
}

const NEEDS: &[DriverNeed] = &[
    row((9, 0), (6, 0), "384.81", "384.81"),
    row((9, 1), (6, 1), "390.46", "390.46"),
    row((9, 2), (6, 2), "396.26", "396.26"),
    row((10, 0), (6, 3), "410.48", "410.48"),
    row((10, 1), (6, 4), "418.39", "418.39"),
    row((10, 2), (6, 5), "440.33", "440.33"),
    row((11, 0), (7, 0), "450.80.02", "450.51.05"),
    row((11, 1), (7, 1), "450.80.02", "455.23"),
    row((11, 2), (7, 2), "450.80.02", "460.27.03"),
    row((11, 3), (7, 3), "450.80.02", "465.19.01"),
    row((11, 4), (7, 4), "450.80.02", "470.42.01"),
    row((11, 5), (7, 5), "450.80.02", "495.29.05"),
    row((11, 6), (7, 6), "450.80.02", "510.39.01"),
    row((11, 7), (7, 7), "450.80.02", "515.43.04"),
    row((11, 8), (7, 8), "450.80.02", "520.61.05"),
    row((12, 0), (8, 0), "525.60.13", "525.60.13"),
    row((12, 1), (8, 1), "525.60.13", "530.30.02"),
    row((12, 2), (8, 2), "525.60.13", "535.54.03"),
    row((12, 3), (8, 3), "525.60.13", "545.23.06"),
    row((12, 4), (8, 4), "525.60.13", "550.54.14"),
    row((12, 5), (8, 5), "525.60.13", "555.42.02"),
    row((12, 6), (8, 5), "525.60.13", "560.28.03"),
    row((12, 8), (8, 7), "525.60.13", "570.26"),
    row((12, 9), (8, 8), "525.60.13", "575.51.03"),
    row((13, 0), (9, 0), "580.65.06", "580.65.06"),
    row((13, 1), (9, 1), "580.65.06", "590.44.01"),
    row((13, 2), (9, 2), "580.65.06", "595.45.04"),
    row((13, 3), (9, 3), "580.65.06", "610.43.02"),
    row((13, 4), (9, 4), "580.65.06", "615"),
    row((13, 5), (9, 5), "580.65.06", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(driver: &str) -> Option<String> {
        let driver = driver.parse().unwrap();
        DriverNeed::newest_of(&driver).map(|need| need.cuda.to_string())
    }

    #[test]
    fn a_driver_supports_what_it_came_with_and_all_before() {
        assert_eq!(newest("535.129.03").as_deref(), Some("12.2"));
        assert_eq!(newest("570.26").as_deref(), Some("12.8"));
        assert_eq!(newest("570.25").as_deref(), Some("12.6"));
        assert_eq!(newest("384.80"), None);
        assert!("unknown".parse::<DriverVersion>().is_err());
        assert!("".parse::<DriverVersion>().is_err());
    }

    #[test]
    fn versions_are_compared_by_their_numbers_and_printed_as_written() {
        let version = |text: &str| text.parse::<DriverVersion>().unwrap();
        assert!(version("580.65.06") > version("580.65"));
        assert!(version("580.9") < version("580.65.06"));
        assert_eq!(version("580.65.06").to_string(), "580.65.06");
    }

    #[test]
    fn rows_ascend_and_each_holds_versions() {
        assert!(NEEDS.is_sorted_by(|one, next| one.cuda < next.cuda));
        assert!(NEEDS.is_sorted_by_key(|need| need.ptx));
        assert!(NEEDS.is_sorted_by_key(DriverNeed::minimum));
        let paired: Vec<DriverVersion> = NEEDS.iter().filter_map(DriverNeed::paired).collect();
        assert!(paired.is_sorted());
        assert_eq!(paired.len(), NEEDS.len() - 1);
    }

    #[test]
    fn ptx_is_compiled_by_the_driver_of_the_first_release_that_writes_it() {
        let of = |version| DriverNeed::of_ptx(version).map(|need| need.cuda.to_string());
        assert_eq!(of((8, 5)).as_deref(), Some("12.5"));
        assert_eq!(of((8, 6)).as_deref(), Some("12.8"));
        assert_eq!(of((99, 0)), None);
    }
}
