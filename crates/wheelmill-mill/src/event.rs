//! What a run tells while it works.
//!
//! The run owns all state and says what happens; a [`Reporter`] draws it. Events carry everything
//! that a view needs, so that a view never reads the store.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;
use wheelmill_gate::CompileRecord;
use wheelmill_model::{ByteSize, Phase, RunId};
use wheelmill_store::StoredWheel;
use wheelmill_wheel::NotChecked;

use crate::build::CacheCount;
use crate::diagnose::Failure;

/// One thing that happened in a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run is in the history and begins.
    RunStarted {
        /// Its identifier.
        run: RunId,
        /// The identifiers of the cells that it will work on, in their order.
        cells: Vec<String>,
    },
    /// A cell begins.
    CellStarted {
        /// The cell's identifier.
        cell: String,
        /// Where its output goes.
        log: Utf8PathBuf,
        /// How long it took the last time, when that is known.
        expected: Option<Duration>,
    },
    /// A cell enters a phase.
    PhaseStarted {
        /// The cell's identifier.
        cell: String,
        /// The phase.
        phase: Phase,
    },
    /// Something worth a word happens within a phase: `CUDA 13.0 and torch 2.11 [1/2]`.
    Activity {
        /// The cell's identifier.
        cell: String,
        /// What, in a few words.
        message: String,
    },
    /// Bytes arrive.
    Download {
        /// The cell's identifier.
        cell: String,
        /// What is fetched.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, when known.
        total: Option<u64>,
    },
    /// The tools that work for a cell say how far they are, or that what they told is over.
    Progress {
        /// The cell's identifier.
        cell: String,
        /// How far; none when nobody says.
        progress: Option<Progress>,
    },
    /// How the compilers of a cell are, every second while it is built behind the gate.
    Compiles {
        /// The cell's identifier.
        cell: String,
        /// How they are.
        #[serde(flatten)]
        compiles: Compiles,
    },
    /// A line of the cell's log.
    Output {
        /// The cell's identifier.
        cell: String,
        /// The line, without control characters.
        line: String,
    },
    /// Something that the user should read once, and that stops nothing.
    Warning {
        /// The cell it concerns, when it is one.
        cell: Option<String>,
        /// What.
        message: String,
        /// What can be done.
        hint: Option<String>,
    },
    /// A cell is at its end.
    CellFinished(Box<CellResult>),
    /// The run is at its end.
    RunFinished {
        /// Its identifier.
        run: RunId,
        /// From start to end.
        #[serde(rename = "wall-seconds", serialize_with = "seconds")]
        wall: Duration,
    },
}

/// How far the tools are that work for a cell, in what they count themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Progress {
    /// ninja: most of its steps compile one file. When all are done another ninja may follow.
    Steps {
        /// Finished steps.
        done: u64,
        /// All steps that are known by now.
        total: u64,
    },
    /// A makefile: hundredths of the work.
    Percent {
        /// Those that are done.
        done: u64,
    },
    /// uv fetches packages.
    Downloads {
        /// Those on their way, the largest first. It tells only of files above 1 MiB.
        packages: Vec<String>,
        /// What they weigh together; how much of it is there already, it does not tell.
        size: ByteSize,
    },
    /// uv has fetched and unpacked packages, and puts them into their place.
    Installing {
        /// How many.
        packages: u64,
    },
}

/// How the compilers of a cell are, as the gate that admits them counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compiles {
    /// How many sources are compiled.
    pub done: usize,
    /// How many there are, where the package was built before and all of it is built now.
    pub total: Option<usize>,
    /// How many compilers run.
    pub running: usize,
    /// What these hold together.
    #[serde(rename = "memory-bytes", serialize_with = "size")]
    pub memory: ByteSize,
    /// How many wait until there is room.
    pub waiting: usize,
    /// Whether they wait for memory: there are processors for them.
    pub short_of_memory: bool,
    /// How long the rest will take, where the package was built before.
    #[serde(rename = "remaining-seconds", serialize_with = "optional_seconds")]
    pub remaining: Option<Duration>,
}

/// How a cell ended in one run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellResult {
    /// The cell's identifier.
    pub cell: String,
    /// How it ended.
    pub outcome: CellOutcome,
    /// The wheel, when there is one.
    pub wheel: Option<StoredWheel>,
    /// What the same build left beside it; a recipe leaves one wheel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_wheels: Vec<StoredWheel>,
    /// What the verdict says in one sentence: `sm_90 natively`.
    pub verdict: Option<String>,
    /// What could not be checked about the wheel. Never counted as passed.
    pub not_checked: Vec<NotChecked>,
    /// From start to end.
    #[serde(rename = "wall-seconds", serialize_with = "seconds")]
    pub wall: Duration,
    /// The most memory that the build held.
    #[serde(rename = "peak-memory-bytes", serialize_with = "bytes")]
    pub peak_memory: Option<ByteSize>,
    /// What the compile cache did for it, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_cache: Option<CacheCount>,
    /// Its compiles that took the longest, the longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dearest_compiles: Vec<CompileRecord>,
    /// Why it failed, when it did.
    pub failure: Option<Failure>,
    /// The log of this attempt.
    pub log: Option<Utf8PathBuf>,
}

impl CellResult {
    /// A cell of which nothing but its end is known.
    #[must_use]
    pub fn new(cell: String, outcome: CellOutcome) -> Self {
        Self {
            cell,
            outcome,
            wheel: None,
            more_wheels: Vec::new(),
            verdict: None,
            not_checked: Vec::new(),
            wall: Duration::ZERO,
            peak_memory: None,
            compile_cache: None,
            dearest_compiles: Vec::new(),
            failure: None,
            log: None,
        }
    }
}

/// The ways in which a cell ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellOutcome {
    /// Built, judged good and stored.
    Built,
    /// It was in the store already.
    Stored,
    /// It failed.
    Failed,
    /// It cannot be built at all; nothing was tried.
    Impossible,
    /// The user stopped it.
    Cancelled,
}

impl CellOutcome {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Stored => "stored",
            Self::Failed => "failed",
            Self::Impossible => "impossible",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Draws events. Called from the threads that work, by several at once, so it must not wait.
pub trait Reporter: Send + Sync {
    /// Takes the next event.
    fn report(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Reporter for F {
    fn report(&self, event: &Event) {
        self(event);
    }
}

fn bytes<S: serde::Serializer>(size: &Option<ByteSize>, serializer: S) -> Result<S::Ok, S::Error> {
    size.map(|size| size.0).serialize(serializer)
}

fn size<S: serde::Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(size.0)
}

fn optional_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

pub(crate) fn seconds<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
