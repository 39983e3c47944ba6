//! GPU architectures and the lists of them that a wheel is built for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not an architecture or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchError {
    /// One entry could not be read.
    #[error(
        "`{0}` is not a GPU architecture: write it as `9.0`, `9.0a` or `sm_90`, with `+PTX` to add PTX"
    )]
    Entry(String),
    /// A generation without its step: `12` would be 1.2, older than all GPUs of today.
    #[error("`{0}` is not a GPU architecture: did you mean `{0}.0`?")]
    Generation(String),
    /// A word that means something elsewhere, or nearly does.
    #[error("`{word}` names no GPU architecture here: {instead}")]
    Word {
        /// The word.
        word: String,
        /// What to write.
        instead: &'static str,
    },
    /// No entry at all.
    #[error("the list of GPU architectures is empty: write it as `8.0;9.0+PTX`")]
    Empty,
}

/// What the letter behind an architecture promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// No letter: runs on this and later minor numbers of the same major.
    #[default]
    Base,
    /// `f`: the features of a family of chips, for later minors of that family.
    Family,
    /// `a`: the features of exactly this chip, and it runs on no other.
    Specific,
}

/// One GPU architecture: `sm_90`, `sm_90a`, `sm_100f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CudaArch {
    /// Compute capability times ten: 90 for 9.0, 120 for 12.0.
    pub number: u16,
    /// The letter behind it.
    pub feature: Feature,
}

impl CudaArch {
    /// The architecture without a letter.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self { number, feature: Feature::Base }
    }

    /// The hardware generation: 9 of 9.0.
    #[must_use]
    pub const fn major(self) -> u16 {
        self.number / 10
    }

    /// The step within the generation: 6 of 8.6.
    #[must_use]
    pub const fn minor(self) -> u16 {
        self.number % 10
    }

    const fn letter(self) -> &'static str {
        match self.feature {
            Feature::Base => "",
            Feature::Family => "f",
            Feature::Specific => "a",
        }
    }

    /// As PyTorch writes it: `9.0a`.
    #[must_use]
    pub fn dotted(self) -> String {
        format!("{}.{}{}", self.major(), self.minor(), self.letter())
    }

    /// As nvcc numbers it: `90a`.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{}{}", self.number, self.letter())
    }

    /// Whether machine code for `self` runs on the GPU `device`, by NVIDIA's rules: the same
    /// generation and the same or a later step; `a` on exactly its own chip; `f` within its family,
    /// taken here as the same generation.
    #[must_use]
    pub const fn runs_on(self, device: Self) -> bool {
        match self.feature {
            Feature::Specific => self.number == device.number,
            Feature::Base | Feature::Family => {
                self.major() == device.major() && self.minor() <= device.minor()
            }
        }
    }
}

impl FromStr for CudaArch {
    type Err = ArchError;

    fn from_str(text: &str) -> Result<Self, ArchError> {
        let wrong = || ArchError::Entry(text.to_owned());
        let bare =
            text.strip_prefix("sm_").or_else(|| text.strip_prefix("compute_")).unwrap_or(text);
        let (bare, feature) = if let Some(bare) = bare.strip_suffix('a') {
            (bare, Feature::Specific)
        } else if let Some(bare) = bare.strip_suffix('f') {
            (bare, Feature::Family)
        } else {
            (bare, Feature::Base)
        };
        let is_generation = !text.starts_with('0')
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u16>().is_ok_and(|number| (1..20).contains(&number));
        if is_generation {
            return Err(ArchError::Generation(text.to_owned()));
        }
        let digits = match bare.split_once('.') {
            Some((major, minor)) if !major.is_empty() && minor.len() == 1 => {
                format!("{major}{minor}")
            }
            Some(_) => return Err(wrong()),
            None => bare.to_owned(),
        };
        if !(2..=3).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number = digits.parse().map_err(|_| wrong())?;
        if number < 10 {
            return Err(wrong());
        }
        Ok(Self { number, feature })
    }
}

impl TryFrom<String> for CudaArch {
    type Error = ArchError;

    fn try_from(text: String) -> Result<Self, ArchError> {
        text.parse()
    }
}

impl From<CudaArch> for String {
    fn from(arch: CudaArch) -> Self {
        arch.to_string()
    }
}

impl fmt::Display for CudaArch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("sm_{}", self.digits()))
    }
}

/// One entry of a wish: an architecture, with PTX for newer GPUs beside its machine code or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchTarget {
    /// The architecture.
    pub arch: CudaArch,
    /// Whether PTX is embedded beside the machine code.
    pub ptx: bool,
}

/// The set of architectures that a cell is built for, sorted and without repetition.
///
/// Prints as PyTorch spells it: `8.0;9.0+PTX`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArchList(Vec<ArchTarget>);

impl ArchList {
    /// A list from entries in any order. Entries of one architecture are merged; PTX wins.
    ///
    /// # Errors
    /// `ArchError::Empty` when there is no entry.
    pub fn new(targets: impl IntoIterator<Item = ArchTarget>) -> Result<Self, ArchError> {
        let mut targets: Vec<ArchTarget> = targets.into_iter().collect();
        targets.sort_by_key(|target| (target.arch, !target.ptx));
        targets.dedup_by_key(|target| target.arch);
        if targets.is_empty() {
            return Err(ArchError::Empty);
        }
        Ok(Self(targets))
    }

    /// The entries, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ArchTarget> + '_ {
        self.0.iter().copied()
    }

    /// The short form of identifiers: `sm80-90ptx`.
    #[must_use]
    pub fn label(&self) -> String {
        let entries: Vec<String> = self
            .iter()
            .map(|target| {
                format!("{}{}", target.arch.digits(), if target.ptx { "ptx" } else { "" })
            })
            .collect();
        format!("sm{}", entries.join("-"))
    }
}

impl FromStr for ArchList {
    type Err = ArchError;

    /// Reads entries parted by `;`, `,` or white space. `+PTX` behind an entry, in either case,
    /// asks for PTX of it.
    fn from_str(text: &str) -> Result<Self, ArchError> {
        let entries = text
            .split(|character: char| matches!(character, ';' | ',') || character.is_whitespace())
            .filter(|entry| !entry.is_empty());
        let targets: Result<Vec<ArchTarget>, ArchError> = entries
            .map(|entry| match entry.split_once('+') {
                Some((arch, suffix)) if suffix.eq_ignore_ascii_case("ptx") => {
                    Ok(ArchTarget { arch: arch.parse()?, ptx: true })
                }
                Some(_) => Err(ArchError::Entry(entry.to_owned())),
                None => Ok(ArchTarget { arch: entry.parse()?, ptx: false }),
            })
            .collect();
        Self::new(targets?)
    }
}

impl TryFrom<String> for ArchList {
    type Error = ArchError;

    fn try_from(text: String) -> Result<Self, ArchError> {
        text.parse()
    }
}

impl From<ArchList> for String {
    fn from(list: ArchList) -> Self {
        list.to_string()
    }
}

impl fmt::Display for ArchList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self
            .iter()
            .map(|target| {
                format!("{}{}", target.arch.dotted(), if target.ptx { "+PTX" } else { "" })
            })
            .collect();
        formatter.pad(&entries.join(";"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_read_in_the_spellings_of_torch_cmake_and_nvcc() {
        for text in ["8.0;9.0+PTX", "90+ptx,80", "sm_80 compute_90+PTX", "8.0;8.0;9.0;9.0+PTX"] {
            assert_eq!(text.parse::<ArchList>().unwrap().to_string(), "8.0;9.0+PTX", "{text}");
        }
        assert_eq!("12.0a".parse::<ArchList>().unwrap().label(), "sm120a");
    }

    #[test]
    fn wrong_entries_are_named() {
        for text in ["9.00", "9.0b", "9.0+SASS", "1000", "05", "hopper"] {
            assert_eq!(
                text.parse::<ArchList>(),
                Err(ArchError::Entry(
                    text.split('+')
                        .next()
                        .filter(|_| !text.contains('+'))
                        .unwrap_or(text)
                        .to_owned()
                ))
            );
        }
        assert_eq!(" ; ".parse::<ArchList>(), Err(ArchError::Empty));
        for (text, named) in [("9", "9"), ("8.0;12+PTX", "12")] {
            assert_eq!(text.parse::<ArchList>(), Err(ArchError::Generation(named.to_owned())));
        }
    }

    #[test]
    fn machine_code_runs_where_nvidia_says() {
        let arch = |text: &str| text.parse::<CudaArch>().unwrap();
        assert!(arch("8.0").runs_on(arch("8.6")));
        assert!(!arch("8.6").runs_on(arch("8.0")));
        assert!(!arch("8.0").runs_on(arch("9.0")));
        assert!(arch("9.0a").runs_on(arch("9.0")));
        assert!(!arch("10.0a").runs_on(arch("10.3")));
        assert!(arch("10.0f").runs_on(arch("10.3")));
    }

    proptest! {
        #[test]
        fn lists_survive_printing(entries in prop::collection::vec((10_u16..=199, 0..3_u8, any::<bool>()), 1..9)) {
            let list = ArchList::new(entries.into_iter().map(|(number, letter, ptx)| ArchTarget {
                arch: CudaArch { number, feature: [Feature::Base, Feature::Family, Feature::Specific][usize::from(letter)] },
                ptx,
            })).unwrap();
            prop_assert_eq!(list.to_string().parse::<ArchList>().unwrap(), list);
        }
    }
}
