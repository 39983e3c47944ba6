//! Passes on what the engine tells while it makes layers.

use wheelmill_engine::{Base, OutputSink, PrepareListener, Step};

use super::log::CellLog;
use crate::event::{Event, Reporter};

/// Writes steps into the cell's log and tells the reporter.
pub(super) struct Listener<'a, 'b> {
    pub(super) reporter: &'a dyn Reporter,
    pub(super) cell: &'a str,
    pub(super) log: &'a mut CellLog<'b>,
}

impl PrepareListener for Listener<'_, '_> {
    fn step(&mut self, index: usize, total: usize, step: &Step, cached: bool) {
        let message = format!("[{}/{total}] {}", index + 1, step.title);
        if cached {
            self.log.note(&format!("{message} (done before)"));
        } else {
            self.log.note(&message);
            self.reporter.report(&Event::Activity { cell: self.cell.to_owned(), message });
        }
    }

    fn waiting(&mut self, what: &str) {
        let message = format!("waiting for {what}, which another build makes");
        self.log.note(&message);
        self.reporter.report(&Event::Activity { cell: self.cell.to_owned(), message });
    }

    fn base_progress(&mut self, base: &Base, done: u64, total: Option<u64>) {
        let (cell, what) = (self.cell.to_owned(), base.to_string());
        self.reporter.report(&Event::Download { cell, what, done, total });
    }

    fn output(&mut self) -> &mut dyn OutputSink {
        self.log
    }
}
