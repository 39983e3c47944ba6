//! Versions of the things that a cell is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not a version of the named thing, or not one that can be wished for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It is no version.
    #[error("`{text}` is not a {what} version: write it as `{example}`")]
    Unreadable {
        /// What was wanted.
        what: &'static str,
        /// What was given.
        text: String,
        /// A good spelling.
        example: &'static str,
    },
    /// It names a patch release where a whole series is meant.
    #[error(
        "`{text}` names a patch release, and builds are for all of {what} {release}: write `{release}`"
    )]
    Patch {
        /// What was wanted.
        what: &'static str,
        /// What was given.
        text: String,
        /// Its series.
        release: String,
    },
}

/// A version as it was wished for: what is dropped elsewhere is refused, so that nobody believes to
/// get the patch release that they named.
fn wished<T>(what: &'static str, text: &str) -> Result<T, VersionError>
where
    T: FromStr<Err = VersionError> + fmt::Display,
{
    let version: T = text.parse()?;
    match numbers(text).as_deref() {
        Some([_, _, _]) => {
            let release = version.to_string();
            Err(VersionError::Patch { what, text: text.to_owned(), release })
        }
        _ => Ok(version),
    }
}

fn numbers(text: &str) -> Option<Vec<u16>> {
    text.split('.')
        .map(|part| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten()
        })
        .collect()
}

macro_rules! text_form {
    ($type:ident, $read:expr) => {
        impl TryFrom<String> for $type {
            type Error = VersionError;

            fn try_from(text: String) -> Result<Self, VersionError> {
                $read(&text)
            }
        }

        impl From<$type> for String {
            fn from(version: $type) -> Self {
                version.to_string()
            }
        }
    };
}

/// A CUDA toolkit release, `13.0`. A patch number is accepted and dropped: a toolkit's compiler,
/// libraries and limits are one per `major.minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CudaVersion {
    /// `13` of `13.0`.
    pub major: u16,
    /// `0` of `13.0`.
    pub minor: u16,
}

impl CudaVersion {
    /// The release `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads a release that somebody wishes for: as `from_str`, but a patch number is refused.
    ///
    /// # Errors
    /// It is no version, or names a patch release.
    pub fn wished(text: &str) -> Result<Self, VersionError> {
        wished("CUDA", text)
    }

    /// The short form of wheel labels and index folders: `cu130`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("cu{}{}", self.major, self.minor)
    }
}

impl FromStr for CudaVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong =
            || VersionError::Unreadable { what: "CUDA", text: text.to_owned(), example: "13.0" };
        // `cu130` is how indexes spell it: the last digit is the minor number.
        if let Some(digits) = text.strip_prefix("cu") {
            if digits.len() < 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            let (major, minor) = digits.split_at(digits.len() - 1);
            return match (major.parse(), minor.parse()) {
                (Ok(major), Ok(minor)) => Ok(Self { major, minor }),
                _ => Err(wrong()),
            };
        }
        match numbers(text).as_deref() {
            Some(&[major, minor] | &[major, minor, _]) => Ok(Self { major, minor }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}.{}", self.major, self.minor))
    }
}

text_form!(CudaVersion, CudaVersion::wished);

/// A Python release, `3.11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonVersion {
    /// `3` of `3.11`.
    pub major: u16,
    /// `11` of `3.11`.
    pub minor: u16,
}

impl PythonVersion {
    /// The release `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads a release that somebody wishes for: as `from_str`, but a patch number is refused.
    ///
    /// # Errors
    /// It is no version, or names a patch release.
    pub fn wished(text: &str) -> Result<Self, VersionError> {
        wished("Python", text)
    }

    /// The interpreter tag of CPython: `cp311`.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("cp{}{}", self.major, self.minor)
    }
}

impl FromStr for PythonVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match numbers(text).as_deref() {
            Some(&[major, minor] | &[major, minor, _]) => Ok(Self { major, minor }),
            _ => Err(VersionError::Unreadable {
                what: "Python",
                text: text.to_owned(),
                example: "3.11",
            }),
        }
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}.{}", self.major, self.minor))
    }
}

text_form!(PythonVersion, PythonVersion::wished);

/// A PyTorch release as wished for: `2.11` means its newest patch, `2.11.0` exactly that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TorchVersion {
    /// `2` of `2.11`.
    pub major: u16,
    /// `11` of `2.11`.
    pub minor: u16,
    /// The patch number when one was asked for.
    pub patch: Option<u16>,
}

impl TorchVersion {
    /// The newest patch of `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: None }
    }

    /// The release series, without the patch.
    #[must_use]
    pub const fn series(self) -> Self {
        Self { patch: None, ..self }
    }

    /// Whether a version of torch is meant by it, whatever its local label.
    #[must_use]
    pub fn matches(&self, version: &pep440_rs::Version) -> bool {
        let release = version.release();
        let part = |index: usize| release.get(index).copied().unwrap_or_default();
        part(0) == u64::from(self.major)
            && part(1) == u64::from(self.minor)
            && self.patch.is_none_or(|patch| part(2) == u64::from(patch))
            && !version.any_prerelease()
    }

    /// The requirement that asks an installer for it: `torch==2.11.*`.
    #[must_use]
    pub fn requirement(&self) -> String {
        match self.patch {
            Some(_) => format!("torch=={self}"),
            None => format!("torch=={self}.*"),
        }
    }
}

impl FromStr for TorchVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match numbers(text).as_deref() {
            Some(&[major, minor]) => Ok(Self::new(major, minor)),
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch: Some(patch) }),
            _ => Err(VersionError::Unreadable {
                what: "torch",
                text: text.to_owned(),
                example: "2.11",
            }),
        }
    }
}

impl fmt::Display for TorchVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        match patch {
            Some(patch) => formatter.pad(&format!("{major}.{minor}.{patch}")),
            None => formatter.pad(&format!("{major}.{minor}")),
        }
    }
}

text_form!(TorchVersion, str::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_versions_are_read_in_each_spelling_people_use() {
        for text in ["13.0", "13.0.2", "cu130"] {
            assert_eq!(text.parse(), Ok(CudaVersion::new(13, 0)), "{text}");
        }
        assert_eq!("cu90".parse(), Ok(CudaVersion::new(9, 0)));
        assert_eq!("12.8".parse::<CudaVersion>().unwrap().label(), "cu128");
    }

    #[test]
    fn a_patch_number_that_would_be_dropped_is_refused_in_wishes() {
        assert_eq!(CudaVersion::wished("13.0"), Ok(CudaVersion::new(13, 0)));
        assert_eq!(CudaVersion::wished("cu130"), Ok(CudaVersion::new(13, 0)));
        let error = PythonVersion::wished("3.11.4").unwrap_err().to_string();
        assert!(error.ends_with("write `3.11`"), "{error}");
        assert!(CudaVersion::try_from("13.0.2".to_owned()).is_err());
    }

    #[test]
    fn a_minor_version_sorts_by_number_not_by_text() {
        let [old, new] = ["2.9", "2.11"].map(|text| text.parse::<TorchVersion>().unwrap());
        assert!(old < new);
    }

    #[test]
    fn a_wrong_version_is_named_with_a_good_one() {
        for text in ["13", "", "13.x", "+1.0", "13.0.1.2", "cu", "cu1", "99999.1"] {
            let error = text.parse::<CudaVersion>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("`13.0`"), "{error}");
        }
    }

    #[test]
    fn torch_wishes_become_requirements() {
        assert_eq!("2.11".parse::<TorchVersion>().unwrap().requirement(), "torch==2.11.*");
        assert_eq!("2.11.0".parse::<TorchVersion>().unwrap().requirement(), "torch==2.11.0");
    }
}
