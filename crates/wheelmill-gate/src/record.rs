//! What is known of a compile when it is over; what the history keeps.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wheelmill_model::ByteSize;

use crate::protocol::{CacheUse, Language};

/// A text that is not a digest of flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest of a compiler's flags: 32 hexadecimal digits are wanted")]
pub struct FlagsDigestError(String);

/// Tells compiles of one source apart by their flags; outputs do not count. 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlagsDigest(pub u128);

impl fmt::Display for FlagsDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl FromStr for FlagsDigest {
    type Err = FlagsDigestError;

    fn from_str(text: &str) -> Result<Self, FlagsDigestError> {
        let wrong = || FlagsDigestError(text.to_owned());
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| wrong())
    }
}

impl TryFrom<String> for FlagsDigest {
    type Error = FlagsDigestError;

    fn try_from(text: String) -> Result<Self, FlagsDigestError> {
        text.parse()
    }
}

impl From<FlagsDigest> for String {
    fn from(digest: FlagsDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|language| language.name() == name);
        found.ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not a language")))
    }
}

impl Serialize for CacheUse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for CacheUse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|used| used.name() == name);
        found.ok_or_else(|| serde::de::Error::custom(format!("`{name}` is no use of a cache")))
    }
}

/// How a compile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Outcome {
    /// With exit code zero.
    Success,
    /// With another exit code.
    Failed {
        /// The exit code.
        code: i32,
    },
    /// By a signal.
    Signalled {
        /// Its number.
        signal: i32,
    },
    /// Killed by the kernel for memory, and run again or given up.
    OutOfMemory,
    /// Stopped for the sake of others, and run again.
    Stopped,
    /// Nobody waited for it any more: its build was ended, or died.
    Abandoned,
}

impl Outcome {
    /// Whether it did what it should.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success)
    }
}

/// One run of a compiler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CompileRecord {
    /// The cell it ran for.
    pub cell: String,
    /// The package that the cell builds.
    pub package: String,
    /// The source file; of a link, what it makes. Absolute, as its container sees it.
    pub source: String,
    /// Tells runs with other flags apart.
    pub flags: FlagsDigest,
    /// What was compiled.
    pub language: Language,
    /// The compiler, as it was called: `nvcc`.
    pub compiler: String,
    /// How many threads it was given.
    pub threads: u16,
    /// Which try this is, from one.
    pub attempt: u32,
    /// What it was charged when it was started.
    #[serde(rename = "estimate-bytes", with = "bytes")]
    pub estimate: ByteSize,
    /// The most memory that it was seen to hold, with all its processes.
    #[serde(rename = "peak-memory-bytes", with = "bytes")]
    pub peak_memory: ByteSize,
    /// How long it waited before.
    #[serde(rename = "waited-seconds", with = "seconds")]
    pub waited: Duration,
    /// When it was started.
    pub started: Timestamp,
    /// How long it ran.
    #[serde(rename = "wall-seconds", with = "seconds")]
    pub wall: Duration,
    /// Processor time of it and all its processes.
    #[serde(rename = "cpu-seconds", with = "seconds")]
    pub cpu: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// What the compile cache did, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
    /// Of what came from the cache: what it took when it was compiled, where that is known. So it
    /// stays known, however many builds only take it from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiled: Option<Taken>,
}

/// What a compile takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Taken {
    /// The most memory that it holds.
    #[serde(rename = "memory-bytes", with = "bytes")]
    pub memory: ByteSize,
    /// How long it runs.
    #[serde(rename = "wall-seconds", with = "seconds")]
    pub wall: Duration,
}

impl CompileRecord {
    /// Whether what it took says what compiling takes: it came to its end, and a compiler ran.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.outcome.is_success() && self.cache != Some(CacheUse::Hit)
    }
}

mod bytes {
    use super::{ByteSize, Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        size: &ByteSize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(size.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ByteSize, D::Error> {
        u64::deserialize(deserializer).map(ByteSize)
    }
}

pub(crate) mod seconds {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}

pub(crate) mod optional_seconds {
    use super::{Duration, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&time.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }
}
