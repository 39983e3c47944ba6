//! What an attempt does at its cell, and what it comes to.

use camino::Utf8PathBuf;
use wheelmill_gate::CompileRecord;
use wheelmill_model::ByteSize;
use wheelmill_store::{StoreError, StoredWheel};
use wheelmill_wheel::{NotChecked, Verdict};

use super::compile_cache::CacheCount;
use super::failure::CellError;
use super::log::CellLog;
use crate::diagnose::Failure;

/// The work at one cell, whatever it is built by.
pub(super) trait Job {
    /// Goes the whole way to wheels in the store; once.
    fn run(&mut self, log: &mut CellLog<'_>) -> Result<Done, Stop>;

    /// Why it failed, for a person.
    fn failure(&self, error: &CellError, log: &mut CellLog<'_>) -> Failure;

    /// What was measured of the build.
    fn measured(&self) -> &Measured;
}

/// How a cell that did not fail came to its wheels.
pub(super) enum Done {
    Built(Kept, Judged),
    Stored(Kept),
}

/// The wheels of a cell; a recipe makes one.
pub(super) struct Kept {
    pub(super) first: Box<StoredWheel>,
    pub(super) more: Vec<StoredWheel>,
}

impl From<StoredWheel> for Kept {
    fn from(wheel: StoredWheel) -> Self {
        Self { first: Box::new(wheel), more: Vec::new() }
    }
}

/// What good wheels were found to be.
pub(super) struct Judged {
    pub(super) summary: String,
    pub(super) not_checked: Vec<NotChecked>,
}

impl From<&Verdict> for Judged {
    fn from(verdict: &Verdict) -> Self {
        Self { summary: verdict.summary.clone(), not_checked: verdict.not_checked.clone() }
    }
}

/// What stops an attempt: the cell's own failure, or one of the store.
pub(super) enum Stop {
    Cell(Box<CellError>),
    Store(Box<StoreError>),
    /// The wheel was built and judged good, and could not be kept.
    NotKept(Utf8PathBuf, Box<StoreError>),
}

impl<E: Into<CellError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Cell(Box::new(error.into()))
    }
}

impl Stop {
    pub(super) fn store(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// What was measured of the build itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) peak: Option<ByteSize>,
    pub(super) exit_code: Option<i32>,
    pub(super) compiles: Option<u32>,
    pub(super) cache: Option<CacheCount>,
    /// The compiles that took the longest.
    pub(super) dearest: Vec<CompileRecord>,
}
