//! A compile, from its question to its end.

use std::time::Duration;

use crate::learned::{Estimate, Grade};
use crate::protocol::Ask;

/// Names a compile, for as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompileId(pub u64);

/// Names a cell, for as long as the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(pub u32);

/// A compile that wants to run.
#[derive(Clone, Debug)]
pub struct Wish {
    /// For which cell.
    pub cell: CellId,
    /// The package that the cell builds, by which the history knows it.
    pub package: String,
    /// What the compiler's stand-in says about it.
    pub ask: Ask,
}

/// What the policy knows of a compile.
#[derive(Clone, Debug)]
pub(super) struct Compile {
    pub(super) wish: Wish,
    pub(super) estimate: Estimate,
    /// What it is charged at least, after it was stopped or killed.
    pub(super) floor: u64,
    /// How many threads it may use, after it was killed.
    pub(super) most_threads: u16,
    /// Since when it waits, or runs.
    pub(super) since: Duration,
    /// How often others were started that stood behind it.
    pub(super) passed_over: u32,
    /// Runs only once more compiles have ended than these, or nothing else runs.
    pub(super) after: Option<u64>,
    /// How often it was stopped for others.
    pub(super) stops: u32,
    /// How often the kernel killed it.
    pub(super) kills: u32,
}

impl Compile {
    pub(super) const fn new(wish: Wish, estimate: Estimate, now: Duration) -> Self {
        let most_threads = wish.ask.threads;
        Self {
            wish,
            estimate,
            floor: 0,
            most_threads,
            since: now,
            passed_over: 0,
            after: None,
            stops: 0,
            kills: 0,
        }
    }

    /// What it is charged before it is measured.
    pub(super) fn memory(&self) -> u64 {
        self.estimate.memory.max(self.floor)
    }

    /// Whether a better estimate may come from other compiles of its package.
    pub(super) fn is_guessed(&self) -> bool {
        matches!(self.estimate.grade, Grade::Package | Grade::Default)
    }
}

/// A compile that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) compile: Compile,
    pub(super) threads: u16,
    pub(super) measured: u64,
    pub(super) peak: u64,
    /// Whether another compile ran beside it at any time, where both share one limit.
    pub(super) accompanied: bool,
    /// It was told to stop, and has not done so yet.
    pub(super) stopping: bool,
}

impl Running {
    pub(super) fn charge(&self) -> u64 {
        self.compile.memory().max(self.measured)
    }
}
