//! Wheel file names and the tags in them.

use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::PackageName;

/// A file name that is not a wheel's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a wheel file name: {reason}")]
pub struct TagError {
    /// The name as given.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// One compatibility tag: `cp311-cp311-linux_x86_64`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WheelTag {
    /// The interpreter: `cp311`, `py3`.
    pub python: String,
    /// The interpreter's binary interface: `cp311`, `abi3`, `none`.
    pub abi: String,
    /// The operating system and machine: `manylinux_2_28_x86_64`, `any`.
    pub platform: String,
}

impl fmt::Display for WheelTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// A wheel's file name, taken apart:
/// `{name}-{version}(-{build})?-{python}-{abi}-{platform}.whl`
/// (PyPA "Binary distribution format").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WheelFilename {
    /// The name of the distribution, normalised.
    pub name: PackageName,
    /// Its version, with the local label if it has one.
    pub version: Version,
    /// The build tag, which starts with a digit.
    pub build: Option<String>,
    /// The tags, expanded from their compressed form, in the order written.
    pub tags: Vec<WheelTag>,
    text: String,
}

impl WheelFilename {
    /// The file name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for WheelFilename {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let wrong = |reason: &str| TagError { name: text.to_owned(), reason: reason.to_owned() };
        let stem = text.strip_suffix(".whl").ok_or_else(|| wrong("it does not end in `.whl`"))?;
        if stem.contains(['/', '\\', '\0']) {
            return Err(wrong("it holds a path"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, [python, abi, platform]) = match parts[..] {
            [name, version, python, abi, platform] => {
                (name, version, None, [python, abi, platform])
            }
            [name, version, build, python, abi, platform] => {
                (name, version, Some(build), [python, abi, platform])
            }
            _ => return Err(wrong("it does not have five or six parts between dashes")),
        };
        let name = name.parse().map_err(|_| wrong("its first part is not a package name"))?;
        let version =
            version.parse().map_err(|_| wrong("its second part is not a PEP 440 version"))?;
        if build.is_some_and(|build| !build.starts_with(|first: char| first.is_ascii_digit())) {
            return Err(wrong("its build tag does not start with a digit"));
        }
        let mut tags = Vec::new();
        for python in python.split('.') {
            for abi in abi.split('.') {
                for platform in platform.split('.') {
                    if [python, abi, platform].contains(&"") {
                        return Err(wrong("one of its tags is empty"));
                    }
                    tags.push(WheelTag {
                        python: python.to_owned(),
                        abi: abi.to_owned(),
                        platform: platform.to_owned(),
                    });
                }
            }
        }
        Ok(Self { name, version, build: build.map(str::to_owned), tags, text: text.to_owned() })
    }
}

impl TryFrom<String> for WheelFilename {
    type Error = TagError;

    fn try_from(text: String) -> Result<Self, TagError> {
        text.parse()
    }
}

impl From<WheelFilename> for String {
    fn from(name: WheelFilename) -> Self {
        name.text
    }
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name: WheelFilename =
            "flash_attn-2.8.3+cu130torch2.9-1-cp311-cp311-manylinux_2_28_x86_64.linux_x86_64.whl"
                .parse()
                .unwrap();
        assert_eq!(name.name.as_str(), "flash-attn");
        assert_eq!(name.version.to_string(), "2.8.3+cu130torch2.9");
        assert_eq!(name.build.as_deref(), Some("1"));
        assert_eq!(name.tags.len(), 2);
        assert_eq!(name.tags[1].to_string(), "cp311-cp311-linux_x86_64");
    }

    #[test]
    fn names_that_no_installer_takes_are_refused() {
        for wrong in [
            "x.whl",
            "x-1-cp311-cp311-any",
            "x-1-cp311-cp311-any.zip",
            "x-one-cp311-cp311-any.whl",
            "x-1-b1-cp311-cp311-any.whl",
            "../x-1-cp311-cp311-any.whl",
            "x-1-cp311..cp312-cp311-any.whl",
        ] {
            assert!(wrong.parse::<WheelFilename>().is_err(), "{wrong}");
        }
    }
}
