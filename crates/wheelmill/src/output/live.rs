//! The live view of a run on a terminal: a moving line for each cell that is worked on, and a line
//! that stays for each that is done.

use std::collections::HashMap;
use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use owo_colors::{OwoColorize as _, Style};
use wheelmill_mill::{CellResult, Event, Reporter};
use wheelmill_model::{ByteSize, Phase};

use super::report::cell_line;
use super::{echo, human, lock, printer, safe, style};

/// The view that now owns the lines at the bottom of the terminal, so that others can write above
/// them.
static CURRENT: RwLock<Option<MultiProgress>> = RwLock::new(None);

/// Does something that writes to stderr, with the moving lines out of its way.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner).clone();
    match current {
        Some(lines) => lines.suspend(write),
        None => write(),
    }
}

/// Writes a line to stderr above the moving ones.
pub(crate) fn talk(text: impl Display) {
    aside(|| printer::talk(text));
}

/// Gives the terminal back as it was, for whoever ends the program out of turn.
pub(crate) fn leave() {
    *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = None;
    echo::restore();
}

/// Draws a run while it goes on.
pub(crate) struct LiveView {
    lines: MultiProgress,
    /// Counts the cells, below their lines, when there are several.
    footer: Mutex<Option<Footer>>,
    cells: Mutex<HashMap<String, Line>>,
    begin: Instant,
}

struct Footer {
    bar: ProgressBar,
    wanted: usize,
    finished: usize,
}

struct Line {
    bar: ProgressBar,
    state: Arc<Mutex<CellState>>,
}

/// What a moving line shows, beside its clock.
struct CellState {
    phase: Option<Phase>,
    doing: String,
    progress: Option<Progress>,
    expected: Option<Duration>,
}

/// Steps of a build, and since when they are counted.
struct Progress {
    done: u64,
    total: u64,
    first: (Instant, u64),
}

impl LiveView {
    /// A view with nothing in it yet.
    pub(crate) fn start() -> Self {
        let lines = MultiProgress::new();
        *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = Some(lines.clone());
        echo::mute();
        Self { lines, footer: Mutex::default(), cells: Mutex::default(), begin: Instant::now() }
    }

    fn begin_run(&self, wanted: usize) {
        if wanted > 1 {
            let begin = self.begin;
            let clock = move |_: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&human::clock(begin.elapsed()));
            };
            let bar = self.lines.add(ProgressBar::new_spinner());
            bar.set_style(template("  {wide_msg} {clock}").with_key("clock", clock));
            let footer = Footer { bar, wanted, finished: 0 };
            footer.draw();
            footer.bar.enable_steady_tick(Duration::from_secs(1));
            *lock(&self.footer) = Some(footer);
        }
    }

    fn begin_cell(&self, cell: &str, expected: Option<Duration>) {
        let state = CellState { phase: None, doing: String::new(), progress: None, expected };
        let state = Arc::new(Mutex::new(state));
        let timed = Arc::clone(&state);
        let clock = move |progress: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&lock(&timed).clock(progress.elapsed()));
        };
        let bar = match &*lock(&self.footer) {
            Some(footer) => self.lines.insert_before(&footer.bar, ProgressBar::new_spinner()),
            None => self.lines.add(ProgressBar::new_spinner()),
        };
        let spinner = if printer::stderr_has_color() { "{spinner:.cyan}" } else { "{spinner}" };
        let line = template(&format!("{spinner} {{prefix}} {{wide_msg}} {{clock}}"));
        bar.set_style(line.with_key("clock", clock));
        bar.set_prefix(paint(&safe(cell), style::strong()));
        bar.enable_steady_tick(Duration::from_millis(120));
        lock(&self.cells).insert(cell.to_owned(), Line { bar, state });
    }

    fn change(&self, cell: &str, change: impl FnOnce(&mut CellState)) {
        if let Some(line) = lock(&self.cells).get(cell) {
            let message = {
                let mut state = lock(&line.state);
                change(&mut state);
                state.message()
            };
            line.bar.set_message(message);
        }
    }

    fn finish_cell(&self, result: &CellResult) {
        if let Some(line) = lock(&self.cells).remove(&result.cell) {
            line.bar.finish_and_clear();
        }
        talk(cell_line(result));
        if let Some(footer) = &mut *lock(&self.footer) {
            footer.finished += 1;
            footer.draw();
        }
    }

    fn clear(&self) {
        for (_, line) in lock(&self.cells).drain() {
            line.bar.finish_and_clear();
        }
        if let Some(footer) = lock(&self.footer).take() {
            footer.bar.finish_and_clear();
        }
    }
}

impl Footer {
    fn draw(&self) {
        let Self { wanted, finished, .. } = self;
        self.bar.set_message(format!("{finished} of {wanted} cells done"));
    }
}

impl Reporter for LiveView {
    fn report(&self, event: &Event) {
        match event {
            Event::RunStarted { cells, .. } => self.begin_run(cells.len()),
            Event::CellStarted { cell, expected, .. } => self.begin_cell(cell, *expected),
            Event::PhaseStarted { cell, phase } => self.change(cell, |state| {
                state.phase = Some(*phase);
                state.doing.clear();
                state.progress = None;
            }),
            Event::Activity { cell, message } => {
                self.change(cell, |state| state.doing = safe(message).into_owned());
            }
            Event::Download { cell, what, done, total } => self.change(cell, |state| {
                state.doing = download(what, *done, *total);
            }),
            Event::Progress { cell, done, total } => self.change(cell, |state| {
                let first =
                    state.progress.as_ref().map_or((Instant::now(), *done), |old| old.first);
                state.progress = Some(Progress { done: *done, total: *total, first });
            }),
            Event::Warning { message, hint, .. } => {
                talk(printer::warning(message, hint.as_deref()));
            }
            Event::CellFinished(result) => self.finish_cell(result),
            Event::RunFinished { .. } => self.clear(),
        }
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.clear();
        leave();
    }
}

impl CellState {
    fn message(&self) -> String {
        let phase = self.phase.map_or("", Phase::as_str);
        let mut message = paint(&format!("{phase:<11}"), style::active());
        if let Some(Progress { done, total, .. }) = &self.progress {
            message = format!("{message} [{done}/{total}]");
        }
        if !self.doing.is_empty() {
            message = format!("{message} {}", self.doing);
        }
        message
    }

    fn clock(&self, elapsed: Duration) -> String {
        let clock = human::clock(elapsed);
        match self.left(elapsed) {
            Some(left) => format!("{clock}, {} left", human::clock(left)),
            None => clock,
        }
    }

    /// How long it will still take: by what it took the last time, else by the pace of its steps.
    fn left(&self, elapsed: Duration) -> Option<Duration> {
        if let Some(expected) = self.expected {
            return expected.checked_sub(elapsed);
        }
        let Progress { done, total, first: (since, from) } = self.progress.as_ref()?;
        let made = done.checked_sub(*from).filter(|made| *made > 0)?;
        let pace = since.elapsed().as_secs_f64() / made as f64;
        Some(Duration::from_secs_f64(pace * total.saturating_sub(*done) as f64))
    }
}

/// `torch 312.0 MiB of 2.1 GiB`.
pub(crate) fn download(what: &str, done: u64, total: Option<u64>) -> String {
    let what = safe(what);
    match total {
        Some(total) => format!("{what} {} of {}", ByteSize(done), ByteSize(total)),
        None => format!("{what} {}", ByteSize(done)),
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).expect("the templates are constants of this file")
}

/// Colours what indicatif draws, which writes past anstream.
fn paint(text: &str, style: Style) -> String {
    if printer::stderr_has_color() { text.style(style).to_string() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_the_last_build_else_by_the_pace_of_this_one() {
        let seconds = Duration::from_secs;
        let mut state =
            CellState { phase: None, doing: String::new(), progress: None, expected: None };
        assert_eq!(state.left(seconds(5)), None);
        assert_eq!(state.clock(seconds(65)), "1:05");

        state.expected = Some(seconds(60));
        assert_eq!(state.clock(seconds(20)), "0:20, 0:40 left");
        // It takes longer than the last time: nothing is promised.
        assert_eq!(state.clock(seconds(61)), "1:01");

        state.expected = None;
        let long_ago = Instant::now().checked_sub(seconds(20)).unwrap();
        state.progress = Some(Progress { done: 3, total: 10, first: (long_ago, 3) });
        assert_eq!(state.left(seconds(20)), None, "one step alone shows no pace");
        state.progress = Some(Progress { done: 5, total: 10, first: (long_ago, 3) });
        assert_eq!(state.left(seconds(20)).map(|left| left.as_secs()), Some(50));
    }
}
