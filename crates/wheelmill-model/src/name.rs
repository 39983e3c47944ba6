//! Names of Python packages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A package name in its normal form: lower case, runs of `-`, `_` and `.` folded into one `-`
/// (PyPA "Names and normalization").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// A text that is not a package name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a package name: use ASCII letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
)]
pub struct NameError(String);

impl PackageName {
    /// The normal form, as used in index addresses: `flash-attn`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form used in file names and import-like places: `flash_attn`.
    #[must_use]
    pub fn as_file_stem(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let ends_well = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !legal || !ends_well(text.bytes().next()) || !ends_well(text.bytes().last()) {
            return Err(NameError(text.to_owned()));
        }
        let mut normal = String::with_capacity(text.len());
        for character in text.chars() {
            if matches!(character, '-' | '_' | '.') {
                if !normal.ends_with('-') {
                    normal.push('-');
                }
            } else {
                normal.push(character.to_ascii_lowercase());
            }
        }
        Ok(Self(normal))
    }
}

impl TryFrom<String> for PackageName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_to_one_spelling() {
        for spelling in ["flash-attn", "Flash_Attn", "flash.-_attn"] {
            assert_eq!(spelling.parse::<PackageName>().unwrap().as_str(), "flash-attn");
        }
        assert_eq!("torch-scatter".parse::<PackageName>().unwrap().as_file_stem(), "torch_scatter");
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for wrong in ["", "-x", "x-", "../x", "a/b", "a b", "é"] {
            assert!(wrong.parse::<PackageName>().is_err(), "{wrong}");
        }
    }
}
