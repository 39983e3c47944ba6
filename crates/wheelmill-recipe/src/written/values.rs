//! Values that are texts in the file and more in meaning: each is checked while it is read, so that
//! the error points at it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use wheelmill_model::{CudaVersion, VersionSpecifiers};

use crate::document::{HINT, PER_CUDA};
use crate::facts;
use crate::placeholder::{self, Piece, Placeholder};
use crate::suggest::{closest, list_words};

/// A message and a hint, as the reader of the document takes them apart again.
pub(super) fn wrong(message: impl fmt::Display, hint: impl fmt::Display) -> String {
    format!("{message}{HINT}{hint}")
}

/// A checked text: a newtype that reads and writes as a text.
macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
        #[serde(try_from = "String")]
        pub(crate) struct $name(pub(crate) String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }
    };
}

pub(super) use checked_text;

fn check_placeholders(text: &str, known: &[&[Placeholder]]) -> Result<(), String> {
    match placeholder::unknown(text, known.iter().copied().flatten()) {
        Some((message, hint)) => Err(wrong(message, hint)),
        None => Ok(()),
    }
}

checked_text!(
    /// A text with the placeholders of a cell.
    Template,
    |text| check_placeholders(text, &[placeholder::CELL])
);

checked_text!(
    /// An argument of the build command.
    CommandText,
    |text| check_placeholders(text, &[placeholder::CELL, &[placeholder::OUT]])
);

checked_text!(
    /// A revision or an address, with `{version}`.
    SourceText,
    |text| check_placeholders(text, &[&[placeholder::VERSION]])
);

checked_text!(
    /// The value of an architecture variable, with `{archs}` in it.
    ArchTemplate,
    |text| {
        check_placeholders(text, &[&[placeholder::ARCHS]])?;
        if placeholder::pieces(text).contains(&Piece::Placeholder("archs")) {
            Ok(())
        } else {
            Err(wrong(
                "the template does not hold `{archs}`, so the architectures would not reach the build",
                "write `{archs}` where the list goes: `-DCMAKE_CUDA_ARCHITECTURES={archs}`",
            ))
        }
    }
);

checked_text!(
    /// A requirement (PEP 508), with the placeholders of a cell. Its name is checked here, the
    /// rest by the installer.
    Requirement,
    |text| {
        check_placeholders(text, &[placeholder::CELL])?;
        let name = text.split(['[', '(', '<', '>', '=', '!', '~', ';', '@', ' ']).next();
        let plain = placeholder::replace(name.unwrap_or_default(), |_| Some("0".to_owned()));
        match plain.parse::<wheelmill_model::PackageName>() {
            Ok(_) => Ok(()),
            Err(_) => Err(wrong(
                format!("`{text}` is not a requirement"),
                "write a package name, with a version if it matters: `setuptools>=70`",
            )),
        }
    }
);

checked_text!(
    /// The name of an environment variable.
    VariableName,
    |text| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !text.is_empty()
            && text.bytes().all(legal)
            && !text.starts_with(|first: char| first.is_ascii_digit())
        {
            Ok(())
        } else {
            Err(wrong(
                format!("`{text}` is not the name of an environment variable"),
                "use letters, digits and `_`, with no digit in front: `MAX_JOBS`",
            ))
        }
    }
);

checked_text!(
    /// A dotted Python name.
    ModuleName,
    |text| {
        let identifier = |part: &str| {
            !part.is_empty()
                && !part.starts_with(|first: char| first.is_ascii_digit())
                && part.chars().all(|character| character.is_alphanumeric() || character == '_')
        };
        if text.split('.').all(identifier) {
            Ok(())
        } else {
            Err(wrong(
                format!("`{text}` is not the name of a Python module"),
                "write it as in `import`: `package.module`, without a file's ending",
            ))
        }
    }
);

/// The machines that recipes may name, as `uname -m` prints them.
const MACHINES: [&str; 5] = ["x86_64", "aarch64", "ppc64le", "s390x", "riscv64"];

checked_text!(
    /// A machine architecture.
    Machine,
    |text| {
        if MACHINES.contains(&text) {
            return Ok(());
        }
        let meant = match text {
            "amd64" | "x64" => Some("x86_64"),
            "arm64" => Some("aarch64"),
            _ => closest(text, MACHINES),
        };
        Err(wrong(
            format!("`{text}` is not a machine"),
            match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of {}", list_words(&MACHINES)),
            },
        ))
    }
);

checked_text!(
    /// The file name of a shared library, with `*` for any text.
    SharedLibrary,
    |text| {
        let legal = |character: char| character.is_ascii_alphanumeric() || "._+-*".contains(character);
        if text.contains(".so") && text.chars().all(legal) {
            return Ok(());
        }
        Err(wrong(
            format!("`{text}` is not the file name of a shared library"),
            "write it as `ldd` prints it, without folders: `libfoo.so.*`",
        ))
    }
);

/// The local label of a version: whether there is one, or which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum LocalLabel {
    /// The usual one, or none.
    Usual(bool),
    /// One in these words.
    Text(String),
}

impl<'de> Deserialize<'de> for LocalLabel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl Visitor<'_> for Shape {
            type Value = LocalLabel;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`true`, `false` or a text")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(LocalLabel::Usual(flag))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                check_placeholders(text, &[placeholder::CELL]).map_err(E::custom)?;
                let sample = placeholder::replace(text, |_| Some("0".to_owned()));
                match format!("0+{sample}").parse::<wheelmill_model::Version>() {
                    Ok(_) => Ok(LocalLabel::Text(text.to_owned())),
                    Err(_) => Err(E::custom(wrong(
                        format!("`{text}` cannot be the local label of a version"),
                        "use letters and digits, parted by dots: `cu{cuda_major}{cuda_minor}.mine`",
                    ))),
                }
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

/// A path that stays inside the folder it is relative to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct RelativePath(pub(crate) Utf8PathBuf);

impl TryFrom<String> for RelativePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inside = |part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir);
        if !text.is_empty() && Utf8Path::new(&text).components().all(inside) {
            Ok(Self(text.into()))
        } else {
            Err(wrong(
                format!("`{text}` does not lie inside the source"),
                "write a path relative to the source's root, without `..`",
            ))
        }
    }
}

/// A set of versions, as PEP 440 writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Specifiers(pub(crate) VersionSpecifiers);

impl TryFrom<String> for Specifiers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match VersionSpecifiers::from_str(&text) {
            Ok(specifiers) if !specifiers.is_empty() => Ok(Self(specifiers)),
            _ => {
                let bare = text.parse::<wheelmill_model::Version>().is_ok();
                let hint = if bare {
                    format!("say how to compare: `>={text}` or `=={text}.*`")
                } else {
                    "write it as `>=2.2`, `>=2.2,<2.9` or `==2.9.*`".to_owned()
                };
                Err(wrong(format!("`{text}` is not a set of versions"), hint))
            }
        }
    }
}

/// The distribution families that a recipe can name packages for.
const FAMILIES: [&str; 5] = ["debian", "fedora", "suse", "arch", "alpine"];

checked_text!(
    /// The general name of a package of the distribution.
    GeneralPackage,
    |text| {
        if facts::GENERAL_PACKAGES.contains(&text) {
            return Ok(());
        }
        Err(wrong(
            format!("`{text}` is not a general name of a package"),
            match closest(text, facts::GENERAL_PACKAGES) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "give the real names instead: `system-packages = {{ debian = [\"{text}\"], fedora = [\"…\"] }}`"
                ),
            },
        ))
    }
);

/// Packages of the distribution: general names, or real names by family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum FamilyPackages {
    /// General names.
    General(#[schemars(with = "Vec<String>")] Vec<GeneralPackage>),
    /// Names by distribution family.
    ByFamily(BTreeMap<String, Vec<String>>),
}

impl<'de> Deserialize<'de> for FamilyPackages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = FamilyPackages;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of names, or a table with a list for each family")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(FamilyPackages::General(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
                let mut families = BTreeMap::new();
                while let Some(family) = table.next_key::<Family>()? {
                    families.insert(family.0, table.next_value()?);
                }
                Ok(FamilyPackages::ByFamily(families))
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

checked_text!(
    /// The key of a distribution family.
    Family,
    |text| {
        if FAMILIES.contains(&text) {
            return Ok(());
        }
        let meant = match text {
            "ubuntu" | "mint" => Some("debian"),
            "rhel" | "centos" | "almalinux" | "rocky" => Some("fedora"),
            _ => closest(text, FAMILIES),
        };
        Err(wrong(
            format!("`{text}` is not a distribution family"),
            match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of {}", list_words(&FAMILIES)),
            },
        ))
    }
);

/// One value for every CUDA release, or a table of values by release with a `default`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PerCuda<T> {
    /// The value for the releases that `releases` does not hold.
    pub default: Option<T>,
    /// The values of single releases.
    pub releases: BTreeMap<CudaVersion, T>,
}

impl<T> PerCuda<T> {
    /// The value for a release.
    #[must_use]
    pub fn get(&self, cuda: CudaVersion) -> Option<&T> {
        self.releases.get(&cuda).or(self.default.as_ref())
    }

    /// Every value there is.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.default.iter().chain(self.releases.values())
    }
}

impl<'de, T: DeserializeOwned + TryFrom<String, Error: fmt::Display>> Deserialize<'de>
    for PerCuda<T>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape<T>(std::marker::PhantomData<T>);

        impl<'de, T: DeserializeOwned + TryFrom<String, Error: fmt::Display>> Visitor<'de> for Shape<T> {
            type Value = PerCuda<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(PER_CUDA)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let value = T::try_from(text.to_owned()).map_err(E::custom)?;
                Ok(PerCuda { default: Some(value), releases: BTreeMap::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
                let mut values = PerCuda { default: None, releases: BTreeMap::new() };
                while let Some(key) = table.next_key::<ReleaseKey>()? {
                    match key.0 {
                        None => values.default = Some(table.next_value()?),
                        Some(cuda) => {
                            values.releases.insert(cuda, table.next_value()?);
                        }
                    }
                }
                Ok(values)
            }
        }

        deserializer.deserialize_any(Shape(std::marker::PhantomData))
    }
}

/// A key of a table by CUDA release: `"12.8"` or `default`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ReleaseKey(Option<CudaVersion>);

impl TryFrom<String> for ReleaseKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "default" => Ok(Self(None)),
            _ => text.parse().map(|cuda| Self(Some(cuda))).map_err(|_| {
                wrong(
                    format!("`{text}` is neither a CUDA release nor `default`"),
                    "write releases in quotes, as `\"12.8\" = …`",
                )
            }),
        }
    }
}
