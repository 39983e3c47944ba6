//! What a run tells while it works.
//!
//! The run owns all state and says what happens; a [`Reporter`] draws it. Events carry everything
//! that a view needs, so that a view never reads the store.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;
use wheelmill_model::{ByteSize, Phase, RunId};
use wheelmill_store::StoredWheel;

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
    /// The build says how far it is.
    Progress {
        /// The cell's identifier.
        cell: String,
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
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
        #[serde(serialize_with = "seconds")]
        wall: Duration,
    },
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
    /// What the verdict says in one sentence: `sm_90 natively`.
    pub verdict: Option<String>,
    /// From start to end.
    #[serde(serialize_with = "seconds")]
    pub wall: Duration,
    /// The most memory that the build held.
    pub peak_memory: Option<ByteSize>,
    /// Why it failed, when it did.
    pub failure: Option<Failure>,
    /// The log of this attempt.
    pub log: Option<Utf8PathBuf>,
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

/// Draws events. Called from the thread that works, so it must not wait.
pub trait Reporter: Send + Sync {
    /// Takes the next event.
    fn report(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Reporter for F {
    fn report(&self, event: &Event) {
        self(event);
    }
}

pub(crate) fn seconds<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
