//! The live view of a run on a terminal: moving lines for each cell that is worked on, and a line
//! that stays for each that is done.

use std::collections::HashMap;
use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use owo_colors::{OwoColorize as _, Style};
use wheelmill_mill::{CellResult, Event, Reporter};

use super::doing::Doing;
use super::report::cell_line;
use super::wrap::{break_line, cut};
use super::{echo, human, lock, printer, safe, style, width};

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
    at_work: usize,
}

struct Line {
    bar: ProgressBar,
    doing: Arc<Mutex<Doing>>,
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
            let footer = Footer { bar, wanted, finished: 0, at_work: 0 };
            footer.draw();
            footer.bar.enable_steady_tick(Duration::from_secs(1));
            *lock(&self.footer) = Some(footer);
        }
    }

    fn begin_cell(&self, cell: &str, expected: Option<Duration>) {
        let doing = Arc::new(Mutex::new(Doing::new(expected, Instant::now())));
        let (name, above, below) =
            (safe(cell).into_owned(), Arc::clone(&doing), Arc::clone(&doing));
        let head = move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&head(&name, &lock(&above), Instant::now(), width::live()));
        };
        let body = move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&body(&lock(&below), Instant::now(), width::live()));
        };
        let bar = match &*lock(&self.footer) {
            Some(footer) => self.lines.insert_before(&footer.bar, ProgressBar::new_spinner()),
            None => self.lines.add(ProgressBar::new_spinner()),
        };
        let spinner = if printer::stderr_has_color() { "{spinner:.cyan}" } else { "{spinner}" };
        let lines = template(&format!("{spinner} {{head}}\n  {{body}}"));
        bar.set_style(lines.with_key("head", head).with_key("body", body));
        // The clocks of both lines go on by themselves.
        bar.enable_steady_tick(Duration::from_millis(120));
        lock(&self.cells).insert(cell.to_owned(), Line { bar, doing });
        self.count(0);
    }

    fn see(&self, cell: &str, event: &Event) {
        if let Some(line) = lock(&self.cells).get(cell) {
            lock(&line.doing).see(event, Instant::now());
        }
    }

    fn finish_cell(&self, result: &CellResult) {
        if let Some(line) = lock(&self.cells).remove(&result.cell) {
            line.bar.finish_and_clear();
        }
        talk(cell_line(result));
        self.count(1);
    }

    /// Draws the footer anew, with so many more cells finished.
    fn count(&self, finished: usize) {
        let at_work = lock(&self.cells).len();
        if let Some(footer) = &mut *lock(&self.footer) {
            footer.finished += finished;
            footer.at_work = at_work;
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
        let Self { wanted, finished, at_work, .. } = self;
        let at_work = match at_work {
            0 | 1 => String::new(),
            _ => format!(", {at_work} at work"),
        };
        self.bar.set_message(format!("{finished} of {wanted} cells done{at_work}"));
    }
}

impl Reporter for LiveView {
    fn report(&self, event: &Event) {
        match event {
            Event::RunStarted { cells, .. } => self.begin_run(cells.len()),
            Event::CellStarted { cell, expected, .. } => self.begin_cell(cell, *expected),
            Event::PhaseStarted { cell, .. }
            | Event::Activity { cell, .. }
            | Event::Download { cell, .. }
            | Event::Progress { cell, .. }
            | Event::Compiles { cell, .. } => self.see(cell, event),
            Event::Output { .. } => {}
            Event::Warning { cell, message, hint } => {
                let several = lock(&self.footer).is_some();
                let cell = cell.as_deref().filter(|_| several);
                talk(printer::warning_of(cell, message, hint.as_deref()));
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

/// What stands before each of a cell's lines: the spinner or its room.
const MARGIN: usize = 2;

/// The first line of a cell: its name, and its clock at the right.
fn head(cell: &str, doing: &Doing, now: Instant, width: usize) -> String {
    let clock = doing.clock(now);
    let room = width.saturating_sub(MARGIN + clock.len() + 1);
    let name = cut(cell, room);
    let gap = " ".repeat(1 + room.saturating_sub(name.chars().count()));
    format!("{}{gap}{clock}", paint(&name, style::strong()))
}

/// The lines below it: the phase, how long its step goes on, what happens in it.
fn body(doing: &Doing, now: Instant, width: usize) -> String {
    let (phase, time) = (doing.phase(), human::clock(doing.time(now)));
    let text = format!("{phase} {time}  {}", doing.details());
    let room = width.saturating_sub(MARGIN);
    let lines = break_line(text.trim_end(), room, MARGIN);
    let fitting: Vec<String> = lines.lines().map(|line| cut(line, room)).collect();
    let text = fitting.join(&format!("\n{}", " ".repeat(MARGIN)));
    text.replacen(phase, &paint(phase, style::active()), 1)
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
    use wheelmill_model::Phase;

    use super::*;

    #[test]
    fn both_lines_of_a_cell_fit_the_terminal() {
        let begin = Instant::now();
        let cell = "torchsort-0.1.10-cu130-torch2.11-cp311-sm90";
        let mut doing = Doing::new(None, begin);
        let events = [
            Event::PhaseStarted { cell: cell.to_owned(), phase: Phase::Environment },
            Event::Activity {
                cell: cell.to_owned(),
                message: "[1/2] CUDA 13.0 and torch 2.11".to_owned(),
            },
        ];
        for event in &events {
            doing.see(event, begin);
        }
        let now = begin + Duration::from_secs(83);
        let lines = |width| {
            let lines = [head(cell, &doing, now, width), body(&doing, now, width)];
            lines.map(|line| anstream::adapter::strip_str(&line).to_string())
        };
        assert_eq!(
            lines(60),
            [
                "torchsort-0.1.10-cu130-torch2.11-cp311-sm90           1:23",
                "environment 1:23  [1/2] CUDA 13.0 and torch 2.11",
            ]
        );
        assert_eq!(
            lines(40),
            [
                "torchsort-0.1.10-cu130-torch2.11… 1:23",
                "environment 1:23  [1/2] CUDA 13.0 and\n    torch 2.11",
            ]
        );
        assert!(lines(1)[0].starts_with('…'));
    }
}
