//! What users write on the command line and in the project file, as values.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wheelmill_model::{ArchError, ArchList, NameError, PackageName, Version};

/// Which architectures are wished for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ArchWish {
    /// Exactly these.
    List(ArchList),
    /// Those of the GPUs in this machine.
    Native {
        /// With PTX of the newest of them.
        ptx: bool,
    },
    /// The oldest of each generation that CUDA and the recipe support. Machine code for it runs on
    /// the whole generation.
    AllMajor {
        /// With PTX of the newest of them.
        ptx: bool,
    },
}

impl Default for ArchWish {
    fn default() -> Self {
        Self::AllMajor { ptx: false }
    }
}

impl FromStr for ArchWish {
    type Err = ArchError;

    fn from_str(text: &str) -> Result<Self, ArchError> {
        let lower = text.trim().to_ascii_lowercase();
        let (word, ptx) = match lower.strip_suffix("+ptx") {
            Some(word) => (word, true),
            None => (lower.as_str(), false),
        };
        match word {
            "native" => Ok(Self::Native { ptx }),
            "all-major" => Ok(Self::AllMajor { ptx }),
            "all" | "any" | "major" | "*" => Err(ArchError::Word {
                word: text.to_owned(),
                instead: "write `all-major` for one of every generation, or a list as `8.0,9.0+PTX`",
            }),
            _ => text.parse().map(Self::List),
        }
    }
}

impl fmt::Display for ArchWish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(list) => list.fmt(formatter),
            Self::Native { ptx: false } => formatter.pad("native"),
            Self::Native { ptx: true } => formatter.pad("native+PTX"),
            Self::AllMajor { ptx: false } => formatter.pad("all-major"),
            Self::AllMajor { ptx: true } => formatter.pad("all-major+PTX"),
        }
    }
}

impl TryFrom<String> for ArchWish {
    type Error = ArchError;

    fn try_from(text: String) -> Result<Self, ArchError> {
        text.parse()
    }
}

impl From<ArchWish> for String {
    fn from(wish: ArchWish) -> Self {
        wish.to_string()
    }
}

/// A package, with a version if one is meant: `torchsort==0.1.10`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageWish {
    /// The package.
    pub name: PackageName,
    /// Exactly this version of it.
    pub version: Option<Version>,
}

/// A text that is not a package with a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageWishError {
    /// The name is wrong.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is a path.
    #[error(
        "`{0}` is a path, and packages are called by their names: give the folder in a recipe, with `path = \"{0}\"` in `[recipes.NAME.source]` of wheelmill.toml"
    )]
    Path(String),
    /// What stands behind the name is not `==` and a version.
    #[error("`{0}` does not name one version: write it as `{1}==1.2.3`, or `{1}` for the newest")]
    Version(String, String),
}

impl FromStr for PackageWish {
    type Err = PackageWishError;

    fn from_str(text: &str) -> Result<Self, PackageWishError> {
        let text = text.trim();
        if text.contains('/') || text == "." || text == ".." {
            return Err(PackageWishError::Path(text.to_owned()));
        }
        let Some(split) = text.find(['=', '<', '>', '!', '~', '@', ' ']) else {
            return Ok(Self { name: text.parse()?, version: None });
        };
        let (name, rest) = text.split_at(split);
        let wrong = || PackageWishError::Version(text.to_owned(), name.to_owned());
        let version = rest.trim().strip_prefix("==").ok_or_else(wrong)?;
        Ok(Self {
            name: name.parse()?,
            version: Some(version.trim().parse().map_err(|_| wrong())?),
        })
    }
}

impl fmt::Display for PackageWish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => formatter.pad(&format!("{}=={version}", self.name)),
            None => self.name.fmt(formatter),
        }
    }
}

impl TryFrom<String> for PackageWish {
    type Error = PackageWishError;

    fn try_from(text: String) -> Result<Self, PackageWishError> {
        text.parse()
    }
}

impl From<PackageWish> for String {
    fn from(wish: PackageWish) -> Self {
        wish.to_string()
    }
}

/// What shall run the builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EngineWish {
    /// The best that works on this machine.
    #[default]
    Auto,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// wheelmill's own.
    Embedded,
}

impl EngineWish {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Embedded => "embedded",
        }
    }
}

/// How far builds shall be kept from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IsolationWish {
    /// Containers of which every folder can be changed.
    Overlay,
    /// Containers whose root cannot be changed.
    ReadOnly,
    /// Processes that Landlock confines.
    Landlock,
    /// Plain processes.
    Process,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn architectures_are_wished_for_by_word_or_by_list() {
        let read = |text: &str| text.parse::<ArchWish>().unwrap();
        assert_eq!(read("native"), ArchWish::Native { ptx: false });
        assert_eq!(read("Native+ptx"), ArchWish::Native { ptx: true });
        assert_eq!(read("all-major+PTX"), ArchWish::AllMajor { ptx: true });
        assert!(matches!(read("8.0;9.0+PTX"), ArchWish::List(_)));
        assert!("natve".parse::<ArchWish>().is_err());
        let error = "all".parse::<ArchWish>().unwrap_err().to_string();
        assert!(error.contains("`all-major`"), "{error}");
    }

    #[test]
    fn a_package_has_one_version_or_none() {
        let read = |text: &str| text.parse::<PackageWish>();
        assert_eq!(read("Flash_Attn==2.8.3").unwrap().to_string(), "flash-attn==2.8.3");
        assert_eq!(read("torchsort").unwrap().version, None);
        assert_eq!(read("torchsort == 0.1.10").unwrap().to_string(), "torchsort==0.1.10");
        for wrong in ["torchsort>=0.1", "torchsort=0.1", "torchsort==", "==1", "torch sort", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn wishes_survive_printing(
            numbers in prop::collection::vec(20_u16..=199, 1..5),
            word in 0..5_usize,
        ) {
            let list: Vec<String> = numbers.iter().map(u16::to_string).collect();
            let words = ["native", "native+PTX", "all-major", "all-major+PTX"];
            let wish: ArchWish = words.get(word).map_or(list.join(","), |word| (*word).to_owned())
                .parse().unwrap();
            prop_assert_eq!(wish.to_string().parse::<ArchWish>().unwrap(), wish);
        }
    }
}
