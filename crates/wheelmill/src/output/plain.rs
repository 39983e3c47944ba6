//! The view of a run where no terminal is: one line for each thing that happened, with its time.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use wheelmill_mill::{Event, Reporter};
use wheelmill_model::Phase;

use super::live::download;
use super::report::cell_line;
use super::{lock, printer, safe};

/// How often the progress of one cell is told.
const PACE: Duration = Duration::from_secs(10);

/// Writes lines such as `  12.3s  torchsort-0.1.10-…  compile`.
pub(crate) struct PlainView {
    begin: Instant,
    /// When the progress of a cell was last told.
    told: Mutex<HashMap<String, Instant>>,
}

impl PlainView {
    /// A view whose clock starts now.
    pub(crate) fn start() -> Self {
        Self { begin: Instant::now(), told: Mutex::default() }
    }

    fn say(&self, cell: &str, text: &str) {
        let seconds = self.begin.elapsed().as_secs_f64();
        printer::talk(format_args!("{seconds:7.1}s  {}  {}", safe(cell), safe(text)));
    }

    /// Says how far something is, unless that was just said. The first time in a phase it is said
    /// `at_once`, or only when it takes its time.
    fn say_sometimes(&self, cell: &str, at_once: bool, text: impl FnOnce() -> String) {
        let due = {
            let mut told = lock(&self.told);
            let due = told.get(cell).map_or(at_once, |last| last.elapsed() >= PACE);
            if due || !told.contains_key(cell) {
                told.insert(cell.to_owned(), Instant::now());
            }
            due
        };
        if due {
            self.say(cell, &text());
        }
    }

    fn begin_phase(&self, cell: &str, phase: Phase) {
        lock(&self.told).remove(cell);
        self.say(cell, phase.as_str());
    }
}

impl Reporter for PlainView {
    fn report(&self, event: &Event) {
        match event {
            Event::RunStarted { .. } | Event::RunFinished { .. } => {}
            Event::CellStarted { cell, log, .. } => self.say(cell, &format!("log: {log}")),
            Event::PhaseStarted { cell, phase } => self.begin_phase(cell, *phase),
            Event::Activity { cell, message } => self.say(cell, message),
            Event::Download { cell, what, done, total } => {
                self.say_sometimes(cell, false, || download(what, *done, *total));
            }
            Event::Progress { cell, done, total } => {
                self.say_sometimes(cell, true, || format!("[{done}/{total}]"));
            }
            Event::Warning { message, hint, .. } => {
                printer::talk(printer::warning(message, hint.as_deref()));
            }
            Event::CellFinished(result) => printer::talk(cell_line(result)),
        }
    }
}
