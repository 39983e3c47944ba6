//! The view of a run where no terminal is, or where all is to be seen: one line for each thing that
//! happened, with its time.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wheelmill_mill::{Event, Reporter};

use super::doing::Doing;
use super::report::cell_line;
use super::{human, lock, printer, safe};

/// How often the progress of one cell is told.
const PACE: Duration = Duration::from_secs(10);
/// How long nothing is said before it is said that the work goes on.
const SILENCE: Duration = Duration::from_secs(30);

/// Writes lines such as `  12.3s  torchsort-0.1.10-…  compile`.
pub(crate) struct PlainView {
    told: Arc<Mutex<Told>>,
    /// Dropped to end the thread that breaks the silence.
    end: Option<Sender<()>>,
    pulse: Option<JoinHandle<()>>,
}

impl PlainView {
    /// A view whose clock starts now. With `output` it has every line of the logs too.
    pub(crate) fn start(output: bool) -> Self {
        let told = Arc::new(Mutex::new(Told::new(output, Instant::now())));
        let (end, ended) = channel();
        let heard = Arc::clone(&told);
        let pulse = thread::Builder::new().name("pulse".to_owned()).spawn(move || {
            let second = Duration::from_secs(1);
            while ended.recv_timeout(second) == Err(RecvTimeoutError::Timeout) {
                let lines = lock(&heard).pulse(Instant::now());
                lines.iter().for_each(|line| printer::put(line));
            }
        });
        // A machine that has no room for a thread goes without the lines.
        Self { told, end: Some(end), pulse: pulse.ok() }
    }
}

impl Reporter for PlainView {
    fn report(&self, event: &Event) {
        let mut told = lock(&self.told);
        // Said while it is locked, so that lines come in the order of their times.
        if let Some(line) = told.take(event, Instant::now()) {
            printer::put(&line);
        }
    }
}

impl Drop for PlainView {
    fn drop(&mut self) {
        drop(self.end.take());
        // A pulse that panicked has nothing left to tell.
        drop(self.pulse.take().map(JoinHandle::join));
    }
}

/// What was said, and so what is worth saying next.
struct Told {
    output: bool,
    begin: Instant,
    /// When anything was last said.
    last: Instant,
    several: bool,
    /// The cells that are worked on.
    cells: BTreeMap<String, Cell>,
}

struct Cell {
    doing: Doing,
    /// When its progress was last told in this phase.
    progress: Option<Instant>,
}

impl Told {
    const fn new(output: bool, now: Instant) -> Self {
        Self { output, begin: now, last: now, several: false, cells: BTreeMap::new() }
    }

    /// The line to say about an event, if it is worth one.
    fn take(&mut self, event: &Event, now: Instant) -> Option<String> {
        if let Event::PhaseStarted { cell, .. }
        | Event::Activity { cell, .. }
        | Event::Download { cell, .. }
        | Event::Progress { cell, .. }
        | Event::Compiles { cell, .. } = event
            && let Some(cell) = self.cells.get_mut(cell)
        {
            cell.doing.see(event, now);
        }
        let line = self.line(event, now)?;
        self.last = now;
        Some(line)
    }

    fn line(&mut self, event: &Event, now: Instant) -> Option<String> {
        match event {
            Event::RunStarted { cells, .. } => {
                self.several = cells.len() > 1;
                None
            }
            Event::CellStarted { cell, log, expected } => {
                let doing = Doing::new(*expected, now);
                self.cells.insert(cell.clone(), Cell { doing, progress: None });
                Some(self.timed(cell, &format!("log: {log}"), now))
            }
            // The log says it too.
            Event::PhaseStarted { .. } | Event::Activity { .. } if self.output => None,
            Event::PhaseStarted { cell, phase } => {
                self.cells.get_mut(cell)?.progress = None;
                Some(self.timed(cell, phase.as_str(), now))
            }
            Event::Activity { cell, message } => Some(self.timed(cell, message, now)),
            Event::Download { cell, .. }
            | Event::Progress { cell, .. }
            | Event::Compiles { cell, .. } => {
                let state = self.cells.get_mut(cell)?;
                let since = *state.progress.get_or_insert(now);
                let details = state.doing.details();
                if self.output || details.is_empty() || now.duration_since(since) < PACE {
                    return None;
                }
                state.progress = Some(now);
                let text = format!("{}: {details}", state.doing.phase());
                Some(self.timed(cell, &text, now))
            }
            Event::Output { cell, line } if self.output => Some(match self.several {
                true => format!("{}: {}", safe(cell), safe(line)),
                false => safe(line).into_owned(),
            }),
            Event::Output { .. } | Event::RunFinished { .. } => None,
            Event::Warning { cell, message, hint } => {
                let cell = cell.as_deref().filter(|_| self.several);
                Some(printer::warning_of(cell, message, hint.as_deref()))
            }
            Event::CellFinished(result) => {
                self.cells.remove(&result.cell);
                Some(cell_line(result))
            }
        }
    }

    /// The lines to say when nothing was said for long: what still goes on, and for how long.
    fn pulse(&mut self, now: Instant) -> Vec<String> {
        if now.saturating_duration_since(self.last) < SILENCE || self.cells.is_empty() {
            return Vec::new();
        }
        self.last = now;
        self.cells.iter().map(|(cell, it)| self.still(cell, &it.doing, now)).collect()
    }

    fn still(&self, cell: &str, doing: &Doing, now: Instant) -> String {
        let details = match doing.details() {
            details if details.is_empty() => details,
            details => format!(": {details}"),
        };
        let time = human::duration(doing.time(now));
        let text = match doing.phase() {
            "" => format!("still waiting after {time}{details}"),
            phase => format!("still in {phase} after {time}{details}"),
        };
        self.timed(cell, &text, now)
    }

    fn timed(&self, cell: &str, text: &str, now: Instant) -> String {
        let seconds = now.saturating_duration_since(self.begin).as_secs_f64();
        format!("{seconds:7.1}s  {}  {}", safe(cell), safe(text))
    }
}

#[cfg(test)]
mod tests {
    use wheelmill_mill::Progress;
    use wheelmill_model::{Phase, RunId};

    use super::*;

    const CELL: &str = "cell-a";

    fn started(cells: &[&str]) -> [Event; 3] {
        let cell = CELL.to_owned();
        let cells = cells.iter().map(|&cell| cell.to_owned()).collect();
        [
            Event::RunStarted { run: RunId::from_text("20261122-104637-003f"), cells },
            Event::CellStarted { cell: cell.clone(), log: "/logs/1.log".into(), expected: None },
            Event::PhaseStarted { cell, phase: Phase::Compile },
        ]
    }

    fn steps(done: u64, total: u64) -> Event {
        let progress = Some(Progress::Steps { done, total });
        Event::Progress { cell: CELL.to_owned(), progress }
    }

    #[test]
    fn long_silences_are_broken_by_what_still_goes_on() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut told = Told::new(false, begin);
        let mut lines: Vec<_> =
            started(&[CELL]).iter().filter_map(|event| told.take(event, begin)).collect();
        for (seconds, event) in [(1, steps(1, 9)), (12, steps(2, 9)), (13, steps(3, 9))] {
            lines.extend(told.take(&event, after(seconds)));
        }
        for second in 0..=75 {
            lines.extend(told.pulse(after(second)));
        }
        assert_eq!(
            lines,
            [
                "    0.0s  cell-a  log: /logs/1.log",
                "    0.0s  cell-a  compile",
                "   12.0s  cell-a  compile: 2 of 9 steps done",
                "   42.0s  cell-a  still in compile after 42s: 3 of 9 steps done",
                "   72.0s  cell-a  still in compile after 1m 12s: 3 of 9 steps done",
            ]
        );
    }

    #[test]
    fn every_cell_at_work_breaks_the_silence_and_warnings_have_theirs() {
        let begin = Instant::now();
        let mut told = Told::new(false, begin);
        let other = |event: &Event| match event {
            Event::CellStarted { log, expected, .. } => {
                let (log, expected) = (log.clone(), *expected);
                Event::CellStarted { cell: "b".to_owned(), log, expected }
            }
            _ => Event::PhaseStarted { cell: "b".to_owned(), phase: Phase::Fetch },
        };
        let [run, started, phase] = started(&[CELL, "b"]);
        for event in [&run, &started, &phase, &other(&started), &other(&phase)] {
            told.take(event, begin);
        }
        let hint = Some("look".to_owned());
        let message = "memory is short".to_owned();
        let warning = Event::Warning { cell: Some("b".to_owned()), message, hint };
        let said = told.take(&warning, begin).unwrap();
        let said = anstream::adapter::strip_str(&said).to_string();
        assert_eq!(said, "warning: b: memory is short\n  hint: look");
        assert_eq!(
            told.pulse(begin + SILENCE),
            [
                "   30.0s  b  still in fetch after 30s",
                "   30.0s  cell-a  still in compile after 30s",
            ]
        );
        assert_eq!(told.pulse(begin + SILENCE), [""; 0]);
    }

    #[test]
    fn the_lines_of_the_log_have_their_cell_before_them_where_there_are_several() {
        let now = Instant::now();
        for (cells, expected) in
            [(&[CELL][..], "nvcc \\u{7}-c a.cu"), (&[CELL, "b"], "cell-a: nvcc \\u{7}-c a.cu")]
        {
            let mut told = Told::new(true, now);
            let line = "nvcc \u{7}-c a.cu".to_owned();
            let output = Event::Output { cell: CELL.to_owned(), line };
            let lines: Vec<_> = started(cells)
                .iter()
                .chain([&steps(1, 2), &output])
                .filter_map(|event| told.take(event, now))
                .collect();
            assert_eq!(lines, ["    0.0s  cell-a  log: /logs/1.log", expected]);
        }
    }
}
