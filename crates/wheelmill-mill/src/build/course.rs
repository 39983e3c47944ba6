//! The course of one attempt: the phase that it is in, and what the history, the log and the caller
//! are told of it.

use std::time::Duration;

use wheelmill_engine::EngineError;
use wheelmill_model::{Phase, RunId};
use wheelmill_store::AttemptId;

use super::context::AttemptContext;
use super::folder::{FolderLock, WorkFolder};
use super::job::Stop;
use super::log::CellLog;
use crate::event::Event;

/// How often a process that waits for another one's cell looks again. The kernel tells nobody that
/// a file lock was given back to somebody who did not block on it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Where an attempt stands.
pub(super) struct Course<'a> {
    pub(super) context: &'a AttemptContext<'a>,
    pub(super) run: &'a RunId,
    /// The cell's identifier.
    pub(super) cell: &'a str,
    pub(super) attempt: AttemptId,
    pub(super) phase: Phase,
}

impl Course<'_> {
    /// Enters a phase.
    pub(super) fn begin(&mut self, phase: Phase, log: &mut CellLog<'_>) -> Result<(), Stop> {
        self.phase = phase;
        self.context.store.begin_phase(self.attempt, phase).map_err(Stop::store)?;
        self.context.reporter.report(&Event::PhaseStarted { cell: self.cell.to_owned(), phase });
        log.begin_section();
        log.note(&format!("{phase} of {}", self.cell));
        Ok(())
    }

    /// Writes something down in the history.
    pub(super) fn record(&self, kind: &str, detail: &serde_json::Value) -> Result<(), Stop> {
        self.context.store.record(self.attempt, kind, detail).map_err(Stop::store)
    }

    /// Says what is done now.
    pub(super) fn tell(&self, log: &mut CellLog<'_>, message: &str) {
        log.note(message);
        self.context
            .reporter
            .report(&Event::Activity { cell: self.cell.to_owned(), message: message.to_owned() });
    }

    /// Takes a folder for this process, waiting for another one that works in it.
    pub(super) fn hold(
        &self,
        folder: &WorkFolder,
        waiting: &str,
        log: &mut CellLog<'_>,
    ) -> Result<FolderLock, Stop> {
        if let Some(held) = folder.try_hold()? {
            return Ok(held);
        }
        self.tell(log, waiting);
        loop {
            if self.context.cancel.is_cancelled() {
                return Err(EngineError::Cancelled.into());
            }
            std::thread::sleep(LOOK_AGAIN);
            if let Some(held) = folder.try_hold()? {
                return Ok(held);
            }
        }
    }
}
