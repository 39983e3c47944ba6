//! What the server tells while it works.

use std::time::Duration;

use serde::Serialize;
use wheelmill_model::ByteSize;

use crate::policy::{CompileId, Failure, Pressure};
use crate::protocol::Language;
use crate::record::CompileRecord;

/// Something that happened to a compile, or to the machine.
#[derive(Clone, Debug)]
pub enum GateEvent {
    /// A compile asked, and must wait.
    Waiting {
        /// Which.
        id: CompileId,
        /// For which cell.
        cell: String,
        /// Its source file.
        source: String,
    },
    /// A compile runs.
    Started {
        /// Which.
        id: CompileId,
        /// For which cell.
        cell: String,
        /// Its source file.
        source: String,
        /// How many threads it may use.
        threads: u16,
        /// What it is charged.
        estimate: ByteSize,
    },
    /// A run of a compiler is over, for good or not: see [`CompileRecord::outcome`].
    Ended {
        /// Which.
        id: CompileId,
        /// Everything about it.
        record: CompileRecord,
        /// Whether it will be run again.
        again: bool,
    },
    /// A compile was killed for memory and cannot be helped; comes after its end.
    Failed {
        /// Which.
        id: CompileId,
        /// For which cell.
        cell: String,
        /// Its source file.
        source: String,
        /// Why.
        failure: Failure,
    },
    /// Programs wait for memory, more or less than before. Nothing is started unless it is calm.
    Pressure {
        /// In the container of which cell; of the whole machine when not given.
        cell: Option<String>,
        /// How much.
        pressure: Pressure,
    },
}

/// How everything is at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// What all compiles together may hold, in bytes, as far as it is limited.
    pub budget_bytes: Option<u64>,
    /// How many threads running compiles were granted: that many processors are busy.
    pub threads: u32,
    /// What running compiles are charged, in bytes.
    pub charged_bytes: u64,
    /// What running compiles hold, in bytes.
    pub measured_bytes: u64,
    /// The cells, in the order in which they were opened.
    pub cells: Vec<CellSnapshot>,
}

/// How a cell is at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellSnapshot {
    /// Its name.
    pub name: String,
    /// What runs, oldest first.
    pub running: Vec<RunningCompile>,
    /// How many wait.
    pub waiting: usize,
    /// How many sources are compiled.
    pub done: usize,
    /// How many sources there are, where the package was built before.
    pub total: Option<usize>,
    /// How long the rest will take, where the package was built before.
    #[serde(rename = "remaining-seconds", with = "crate::record::optional_seconds")]
    pub remaining: Option<Duration>,
}

/// A compile that runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunningCompile {
    /// Its source file.
    pub source: String,
    /// What is compiled.
    pub language: Language,
    /// What it holds now, in bytes.
    pub memory_bytes: u64,
    /// For how long it has run.
    #[serde(rename = "since-seconds", with = "crate::record::seconds")]
    pub since: Duration,
}
