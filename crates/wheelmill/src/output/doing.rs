//! What a cell is at, put together from its events: the views draw it, each in its way.

use std::time::{Duration, Instant};

use wheelmill_mill::{Compiles, Event, Progress};
use wheelmill_model::{ByteSize, Phase};

use super::{human, safe};

/// The state of a cell that is worked on.
#[derive(Debug)]
pub(crate) struct Doing {
    begin: Instant,
    /// How long it took the last time.
    expected: Option<Duration>,
    phase: Option<Phase>,
    /// When the phase began, or the step within it.
    since: Instant,
    step: String,
    fetching: String,
    progress: Option<Progress>,
    /// What the gate says of the compilers.
    compiles: Option<Compiles>,
    /// When steps were first counted, and how many were done by then.
    first: Option<(Instant, u64)>,
}

impl Doing {
    /// A cell that begins.
    pub(crate) const fn new(expected: Option<Duration>, now: Instant) -> Self {
        Self {
            begin: now,
            expected,
            phase: None,
            since: now,
            step: String::new(),
            fetching: String::new(),
            progress: None,
            compiles: None,
            first: None,
        }
    }

    /// Takes what happened.
    pub(crate) fn see(&mut self, event: &Event, now: Instant) {
        match event {
            Event::PhaseStarted { phase, .. } => {
                *self = Self {
                    begin: self.begin,
                    phase: Some(*phase),
                    ..Self::new(self.expected, now)
                };
            }
            Event::Activity { message, .. } => {
                self.since = now;
                self.step = safe(message).into_owned();
                self.fetching.clear();
                self.progress = None;
            }
            Event::Download { what, done, total, .. } => {
                self.fetching = download(what, *done, *total);
            }
            Event::Progress { progress, .. } => {
                self.fetching.clear();
                self.progress.clone_from(progress);
                if let (Some(Progress::Steps { done, .. } | Progress::Percent { done }), None) =
                    (progress, self.first)
                {
                    self.first = Some((now, *done));
                }
            }
            Event::Compiles { compiles, .. } => {
                if *compiles != Compiles::default() {
                    // What came before the compilers is over.
                    self.step.clear();
                }
                self.compiles = Some(compiles.clone());
            }
            _ => {}
        }
    }

    /// The word for the phase.
    pub(crate) fn phase(&self) -> &'static str {
        self.phase.map_or("", Phase::as_str)
    }

    /// How long the step goes on already, or the phase where it has no steps.
    pub(crate) fn time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// What goes on within the phase; empty where nothing is known of that.
    pub(crate) fn details(&self) -> String {
        let compiles = self.compiles.as_ref().filter(|compiles| **compiles != Compiles::default());
        // The gate counts what the build's tools do, and it knows more.
        let told = compiles.is_some_and(|compiles| compiles.total.is_some());
        let progress = self.progress.as_ref().filter(|_| !told).map(progress).unwrap_or_default();
        let compilers = compiles.map(|it| compilers(it, progress.is_empty())).unwrap_or_default();
        let counted = [progress, compilers];
        let counted: Vec<String> = counted.into_iter().filter(|part| !part.is_empty()).collect();
        let parts = [self.step.as_str(), &counted.join(", "), &self.fetching];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }

    /// The cell's own clock: `12:40, 3:05 left`.
    pub(crate) fn clock(&self, now: Instant) -> String {
        let elapsed = now.saturating_duration_since(self.begin);
        match self.left(elapsed, now) {
            Some(left) => format!("{}, {} left", human::clock(elapsed), human::clock(left)),
            None => human::clock(elapsed),
        }
    }

    /// How long it will still take: by what its compiles took the last time, else by what all of it
    /// took, else by the pace of its steps.
    fn left(&self, elapsed: Duration, now: Instant) -> Option<Duration> {
        if let Some(remaining) = self.compiles.as_ref().and_then(|compiles| compiles.remaining) {
            return Some(remaining);
        }
        if let Some(expected) = self.expected {
            return expected.checked_sub(elapsed);
        }
        let (done, total) = match self.progress.as_ref()? {
            // When all are done, nobody knows what follows.
            Progress::Steps { done, total } if done < total => (*done, *total),
            Progress::Percent { done } => (*done, 100),
            _ => return None,
        };
        let (since, from) = self.first?;
        let made = done.checked_sub(from).filter(|made| *made > 0)?;
        let pace = now.saturating_duration_since(since).as_secs_f64() / made as f64;
        Some(Duration::from_secs_f64(pace * total.saturating_sub(done) as f64))
    }
}

/// How far tools are, in words.
pub(crate) fn progress(progress: &Progress) -> String {
    match progress {
        Progress::Steps { done, total } if done == total => {
            format!("{} done", human::count(*done, "step"))
        }
        Progress::Steps { done, total } => format!("{done} of {total} steps done"),
        Progress::Percent { done } => format!("{done}% done"),
        Progress::Installing { packages } => {
            format!("installing {}", human::count(*packages, "package"))
        }
        Progress::Downloads { packages, size } => {
            let names = match &packages[..] {
                [] => String::new(),
                [only] => only.clone(),
                [first, second] => format!("{first} and {second}"),
                [first, second, others @ ..] => {
                    format!("{first}, {second} and {} more", others.len())
                }
            };
            format!("downloading {} ({size} to go)", safe(&names))
        }
    }
}

/// How compilers are: `[12/73] compiles done, 3 running (4.1 GiB), 5 waiting, about 3m 20s left`.
/// How many are done is left out where others have said how far it is.
fn compilers(compiles: &Compiles, count: bool) -> String {
    let Compiles { done, total, running, memory, waiting, short_of_memory, remaining } = compiles;
    let done = match total {
        Some(total) => Some(format!("[{done}/{total}] compiles done")),
        None => count.then(|| format!("{} done", human::count(*done as u64, "compile"))),
    };
    let running = match running {
        0 => None,
        _ => Some(format!("{running} running ({memory})")),
    };
    let reason = if *short_of_memory { " for memory" } else { "" };
    let waiting = (*waiting > 0).then(|| format!("{waiting} waiting{reason}"));
    let left = remaining.map(|left| format!("about {} left", human::duration(left)));
    [done, running, waiting, left].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `torch 312.0 MiB of 2.1 GiB`.
pub(crate) fn download(what: &str, done: u64, total: Option<u64>) -> String {
    let what = safe(what);
    match total {
        Some(total) => format!("{what} {} of {}", ByteSize(done), ByteSize(total)),
        None => format!("{what} {}", ByteSize(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = "cell";
    const SECOND: Duration = Duration::from_secs(1);

    fn phase(phase: Phase) -> Event {
        Event::PhaseStarted { cell: CELL.to_owned(), phase }
    }

    fn steps(done: u64, total: u64) -> Event {
        let progress = Some(Progress::Steps { done, total });
        Event::Progress { cell: CELL.to_owned(), progress }
    }

    #[test]
    fn a_step_has_its_own_time_and_what_its_tools_say() {
        let begin = Instant::now();
        let mut doing = Doing::new(None, begin);
        doing.see(&phase(Phase::Environment), begin + SECOND);
        assert_eq!(doing.time(begin + 4 * SECOND), 3 * SECOND);
        let message = "[1/2] CUDA 13.0 and torch 2.11".to_owned();
        doing.see(&Event::Activity { cell: CELL.to_owned(), message }, begin + 5 * SECOND);
        let packages = ["torch", "nvidia-cublas", "numpy", "triton"].map(str::to_owned).to_vec();
        let progress = Some(Progress::Downloads { packages, size: ByteSize(3 << 30) });
        doing.see(&Event::Progress { cell: CELL.to_owned(), progress }, begin + 6 * SECOND);
        assert_eq!(doing.phase(), "environment");
        assert_eq!(
            doing.details(),
            "[1/2] CUDA 13.0 and torch 2.11: downloading torch, nvidia-cublas and 2 more \
             (3.0 GiB to go)"
        );
        assert_eq!(doing.time(begin + 65 * SECOND), 60 * SECOND);

        doing.see(&phase(Phase::Compile), begin + 70 * SECOND);
        assert_eq!(doing.details(), "");
        doing.see(&steps(1, 1), begin + 80 * SECOND);
        // Another ninja may follow: nothing says that the phase is at its end.
        assert_eq!(doing.details(), "1 step done");
        assert_eq!(doing.clock(begin + 90 * SECOND), "1:30");
    }

    #[test]
    fn compilers_are_told_with_what_they_hold_and_what_is_left() {
        let begin = Instant::now();
        let mut doing = Doing::new(Some(600 * SECOND), begin);
        let see = |doing: &mut Doing, compiles: Compiles| {
            doing.see(&Event::Compiles { cell: CELL.to_owned(), compiles }, begin);
        };
        doing.see(&phase(Phase::Compile), begin);
        let message = "trying the compile cache".to_owned();
        doing.see(&Event::Activity { cell: CELL.to_owned(), message }, begin);
        see(&mut doing, Compiles::default());
        assert_eq!(doing.details(), "trying the compile cache", "nothing is compiled yet");
        let memory = ByteSize(3 << 30);
        let new = Compiles { done: 4, running: 2, memory, waiting: 6, ..Compiles::default() };
        see(&mut doing, new.clone());
        assert_eq!(doing.details(), "4 compiles done, 2 running (3.0 GiB), 6 waiting");
        doing.see(&steps(3, 73), begin);
        assert_eq!(doing.details(), "3 of 73 steps done, 2 running (3.0 GiB), 6 waiting");
        let (total, remaining) = (Some(70), Some(200 * SECOND));
        see(&mut doing, Compiles { total, remaining, short_of_memory: true, ..new });
        assert_eq!(
            doing.details(),
            "[4/70] compiles done, 2 running (3.0 GiB), 6 waiting for memory, about 3m 20s left"
        );
        assert_eq!(doing.clock(begin + SECOND), "0:01, 3:20 left");
    }

    #[test]
    fn what_is_left_is_told_by_the_last_build_else_by_the_pace_of_this_one() {
        let begin = Instant::now();
        let known = Doing::new(Some(60 * SECOND), begin);
        assert_eq!(known.clock(begin + 20 * SECOND), "0:20, 0:40 left");
        // It takes longer than the last time: nothing is promised.
        assert_eq!(known.clock(begin + 61 * SECOND), "1:01");

        let mut new = Doing::new(None, begin);
        assert_eq!(new.clock(begin + 65 * SECOND), "1:05");
        new.see(&steps(3, 10), begin);
        assert_eq!(new.clock(begin + 20 * SECOND), "0:20", "one step alone shows no pace");
        new.see(&steps(5, 10), begin + 20 * SECOND);
        assert_eq!(new.clock(begin + 20 * SECOND), "0:20, 0:50 left");
    }
}
