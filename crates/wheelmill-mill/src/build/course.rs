//! The course of one attempt: the phase that it is in, and what the history, the log and the caller
//! are told of it.

use std::time::{Duration, Instant};

use serde_json::json;
use wheelmill_engine::{Cancel, EngineError, Exit, GpuSight, Gpus};
use wheelmill_model::{CellKey, Phase, RunId};
use wheelmill_store::{AttemptId, StoreError};

use super::context::AttemptContext;
use super::failure::CellError;
use super::folder::{FolderLock, WorkFolder};
use super::gate::GateNews;
use super::gpus::{Wanted, unmet};
use super::job::Stop;
use super::log::CellLog;
use crate::event::Event;

/// How often a process that waits for another one's cell looks again. The kernel tells nobody that
/// a file lock was given back to somebody who did not block on it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Where an attempt stands.
pub(super) struct Course<'a> {
    pub(super) context: &'a AttemptContext<'a>,
    /// The run and the attempt in the history; none for a shell, which is not part of it.
    pub(super) history: Option<(&'a RunId, AttemptId)>,
    /// The cell's identifier.
    pub(super) cell: &'a str,
    pub(super) phase: Phase,
}

impl Course<'_> {
    /// Enters a phase.
    pub(super) fn begin(&mut self, phase: Phase, log: &mut CellLog<'_>) -> Result<(), Stop> {
        self.phase = phase;
        if let Some((_, attempt)) = self.history {
            self.context.store.begin_phase(attempt, phase).map_err(Stop::store)?;
        }
        self.context.reporter.report(&Event::PhaseStarted { cell: self.cell.to_owned(), phase });
        log.begin_section();
        log.note(&format!("{phase} of {}", self.cell));
        Ok(())
    }

    /// Writes something down in the history.
    pub(super) fn record(&self, kind: &str, detail: &serde_json::Value) -> Result<(), Stop> {
        let Some((_, attempt)) = self.history else { return Ok(()) };
        self.context.store.record(attempt, kind, detail).map_err(Stop::store)
    }

    /// Writes down which wheel this is about to be.
    pub(super) fn set_key(&self, key: &CellKey) -> Result<(), Stop> {
        let Some((_, attempt)) = self.history else { return Ok(()) };
        self.context.store.set_key(attempt, key).map_err(Stop::store)
    }

    /// The run that this is a part of.
    pub(super) fn run(&self) -> &RunId {
        let (run, _) = self.history.expect("only what is in the history makes wheels");
        run
    }

    /// Says what is done now.
    pub(super) fn tell(&self, log: &mut CellLog<'_>, message: &str) {
        log.note(message);
        self.context
            .reporter
            .report(&Event::Activity { cell: self.cell.to_owned(), message: message.to_owned() });
    }

    /// The GPUs that a container with these variables gets: none where the driver does not meet what
    /// they require, else what a container of its kind is found to see.
    pub(super) fn grant<'v>(
        &self,
        wanted: Wanted,
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
        look: impl FnOnce(&Gpus) -> Result<GpuSight, EngineError>,
        log: &mut CellLog<'_>,
    ) -> Result<Option<Gpus>, Stop> {
        let driver = self.context.mill.driver().for_requirements();
        let sight = match unmet(&driver, variables) {
            Some(unmet) => unmet,
            None => look(&wanted.gpus)?,
        };
        self.tell_of_gpus(&sight, log)?;
        Ok(wanted.settle(sight)?)
    }

    /// Says and writes down which GPUs the build sees.
    pub(super) fn tell_of_gpus(&self, sight: &GpuSight, log: &mut CellLog<'_>) -> Result<(), Stop> {
        self.tell(log, &format!("GPUs: {sight}"));
        self.record("gpus", &json!(sight))
    }

    /// Runs the build's own command, which has the time that the settings give it.
    pub(super) fn in_time(
        &self,
        run: impl FnOnce(&Cancel) -> Result<Exit, EngineError>,
    ) -> Result<Exit, Stop> {
        let AttemptContext { mill, cancel, .. } = *self.context;
        let Some(limit) = mill.settings.timeout else { return Ok(run(cancel)?) };
        let exit = run(&cancel.until(Instant::now() + limit.0))?;
        match exit.cancelled && !cancel.is_cancelled() {
            true => Err(CellError::TimedOut(limit).into()),
            false => Ok(exit),
        }
    }

    /// Passes on what the gate tells while the build runs, from another thread. What the history
    /// could not take is found in `unkept`.
    pub(super) fn on_gate_news<'n>(
        &'n self,
        unkept: &'n mut Option<StoreError>,
    ) -> impl FnMut(GateNews<'_>) + Send + 'n {
        let (reporter, store, cell) = (self.context.reporter, self.context.store, self.cell);
        let attempt = self.history.map(|(_, attempt)| attempt);
        move |news: GateNews<'_>| {
            let cell = cell.to_owned();
            match news {
                GateNews::Now(compiles) => reporter.report(&Event::Compiles { cell, compiles }),
                GateNews::Trouble(message) => {
                    reporter.report(&Event::Warning { cell: Some(cell), message, hint: None });
                }
                // At once, so that the next build knows them even if this one is killed.
                GateNews::Ended(records) => {
                    let Some(attempt) = attempt else { return };
                    let records: Vec<_> = records.iter().map(|record| json!(record)).collect();
                    if let Err(error) = store.add_compiles(attempt, &records) {
                        unkept.get_or_insert(error);
                    }
                }
            }
        }
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

/// How a command ended, for the history.
pub(super) fn ended(exit: &Exit) -> serde_json::Value {
    json!({
        "code": exit.code,
        "peak-memory-bytes": exit.peak_memory.map(|size| size.0),
        "oom-kills": exit.oom_kills,
        "memory-watch": exit.watch,
        "wall-seconds": exit.wall.as_secs_f64(),
        "cancelled": exit.cancelled,
    })
}
