//! What callers hand to the history and what they get back.

use std::fmt;
use std::time::Duration;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use wheelmill_model::{ByteSize, CellKey, Digest, PackageName, Phase, RunId};

use crate::{CancelledBy, Outcome, Owner, RunOutcome};

/// A run that begins.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// What the user typed, without secrets.
    pub command_line: Vec<String>,
    /// The project file, when there is one.
    pub project: Option<Utf8PathBuf>,
    /// The version of wheelmill.
    pub version: String,
    /// The process that runs it.
    pub owner: Owner,
}

/// A cell that is attempted.
#[derive(Clone, Debug)]
pub struct NewCell {
    /// Its identifier, for people.
    pub id: String,
    /// Its key, when it is known already.
    pub key: Option<CellKey>,
    /// The package.
    pub package: PackageName,
    /// What it is made of: an object with `cuda`, `torch`, `python`, `architectures` and whatever
    /// else the caller wants to see again.
    pub spec: Value,
}

/// Names an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AttemptId(pub(crate) i64);

impl fmt::Display for AttemptId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An attempt that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Attempt {
    /// Its identifier, for everything that is written about it.
    pub id: AttemptId,
    /// The how-manieth it is at this cell, over all runs, from 1.
    pub number: u32,
    /// Where its output goes; the folder exists.
    pub log: Utf8PathBuf,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptEnd {
    /// In a word.
    pub outcome: Outcome,
    /// The wheel that the cell now has.
    pub wheel: Option<Digest>,
    /// Why it has none, in the caller's format.
    pub cause: Option<Value>,
    /// The exit code of the build, when it ran.
    pub exit_code: Option<i32>,
    /// The most memory that the build held, when it was measured.
    pub peak_memory: Option<ByteSize>,
    /// How long the attempt took. From beginning to end when it is not given.
    pub wall: Option<Duration>,
    /// How many steps the build finished, when it counted them: nearly all of them compile one file.
    pub compiles: Option<u32>,
}

impl AttemptEnd {
    /// An end of which nothing but the outcome is known yet.
    #[must_use]
    pub const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            wheel: None,
            cause: None,
            exit_code: None,
            peak_memory: None,
            wall: None,
            compiles: None,
        }
    }
}

/// A run, without its attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// Its identifier.
    pub id: RunId,
    /// What the user typed.
    pub command_line: Vec<String>,
    /// The project file, when there was one.
    pub project: Option<Utf8PathBuf>,
    /// The version of wheelmill.
    pub version: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; of an interrupted run, when it last wrote something.
    pub ended_at: Option<Timestamp>,
    /// How it ended. None while it runs.
    pub outcome: Option<RunOutcome>,
    /// Who stopped it, when somebody did and that is known.
    pub cancelled_by: Option<CancelledBy>,
    /// How its cells fared.
    pub cells: CellCounts,
}

/// How many attempts of a run ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellCounts {
    /// All that have begun.
    pub total: u32,
    /// Still at it.
    pub running: u32,
    /// A new wheel is in the store.
    pub built: u32,
    /// The store had the wheel.
    pub stored: u32,
    /// Went wrong.
    pub failed: u32,
    /// Stopped by the user.
    pub cancelled: u32,
    /// Cannot be built.
    pub impossible: u32,
    /// Their process died.
    pub interrupted: u32,
}

/// A run with everything that is known about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunDetail {
    /// The run itself.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Its attempts, in the order they began.
    pub attempts: Vec<AttemptDetail>,
}

/// An attempt with everything that is known about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttemptDetail {
    /// Its identifier.
    pub id: AttemptId,
    /// The cell.
    pub cell: String,
    /// The how-manieth it is at this cell, over all runs, from 1.
    pub number: u32,
    /// The cell's key, once it is known.
    pub key: Option<CellKey>,
    /// The package.
    pub package: PackageName,
    /// What the cell is made of.
    pub spec: Value,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; of an interrupted attempt, when it last wrote something.
    pub ended_at: Option<Timestamp>,
    /// How it ended. None while it runs.
    pub outcome: Option<Outcome>,
    /// The wheel that the cell has.
    pub wheel: Option<Digest>,
    /// Why it has none.
    pub cause: Option<Value>,
    /// The exit code of the build.
    pub exit_code: Option<i32>,
    /// The most memory that the build held.
    #[serde(rename = "peak-memory-bytes", serialize_with = "bytes")]
    pub peak_memory: Option<ByteSize>,
    /// How long it took.
    #[serde(rename = "wall-seconds", serialize_with = "seconds")]
    pub wall: Option<Duration>,
    /// How many steps the build finished, when it counted them: nearly all of them compile one file.
    pub compiles: Option<u32>,
    /// Where its output is.
    pub log: Utf8PathBuf,
    /// Its phases, in the order they began.
    pub phases: Vec<PhaseSpan>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// One phase of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PhaseSpan {
    /// Which.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// When the next one began or the attempt ended. None while it runs.
    pub ended_at: Option<Timestamp>,
}

/// Something that happened in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What, in one word of the caller's.
    pub kind: String,
    /// The rest, in the caller's format.
    pub detail: Value,
}

/// A size as a number of bytes.
pub(crate) fn bytes<S: Serializer>(
    size: &Option<ByteSize>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    size.map(|size| size.0).serialize(serializer)
}

/// A length of time as a number of seconds, which every reader of JSON understands.
pub(crate) fn seconds<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
