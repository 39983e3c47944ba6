//! How much of a build is done, and how long the rest will take.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::learned::Learned;
use crate::probe::is_probe;
use crate::protocol::{Ask, Language};

/// Before so much work is done, the pace of a build is not known.
const ENOUGH: Duration = Duration::from_secs(10);

/// The compiles of a cell, as they were in earlier builds and as they are in this one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// What is not done yet of what will be compiled, and how long each took the last time.
    left: HashMap<String, Duration>,
    /// What will be compiled, or has asked in this build.
    known: HashSet<String>,
    /// Whether it is known what will be compiled.
    forecast: bool,
    done: HashSet<String>,
    worked: Duration,
}

impl Progress {
    pub(crate) fn new(learned: &Learned, package: &str, sources: &[String]) -> Self {
        let wall = |source: &String| learned.wall(package, source).unwrap_or_default();
        let left: HashMap<_, _> = sources.iter().map(|it| (it.clone(), wall(it))).collect();
        let known = left.keys().cloned().collect();
        Self { forecast: !left.is_empty(), left, known, ..Self::default() }
    }

    /// A source is to be compiled.
    pub(crate) fn ask(&mut self, ask: &Ask) {
        if counts(ask) && !self.known.contains(&ask.source) {
            self.known.insert(ask.source.clone());
        }
    }

    /// A source was compiled, in that time.
    pub(crate) fn finish(&mut self, ask: &Ask, wall: Duration) {
        if !counts(ask) {
            return;
        }
        self.left.remove(&ask.source);
        self.done.insert(ask.source.clone());
        self.worked = self.worked.saturating_add(wall);
    }

    /// How many sources are done.
    pub(crate) fn done(&self) -> usize {
        self.done.len()
    }

    /// How many there are. None where nobody knows.
    pub(crate) fn total(&self) -> Option<usize> {
        self.forecast.then_some(self.known.len())
    }

    /// How long the rest takes, when these run since then, after `elapsed`, with so many processors.
    pub(crate) fn remaining<'a>(
        &self,
        running: impl Iterator<Item = (&'a str, Duration)>,
        elapsed: Duration,
        cpus: u16,
    ) -> Option<Duration> {
        if !self.forecast {
            return None;
        }
        let running: HashMap<&str, Duration> = running.collect();
        let rest = |source: &String, wall: &Duration| {
            wall.saturating_sub(running.get(source.as_str()).copied().unwrap_or_default())
        };
        let rests = self.left.iter().map(|(source, wall)| rest(source, wall));
        let longest = rests.clone().max().unwrap_or_default();
        let work: Duration = rests.sum();
        // What was done at a time so far will be done at a time again: memory may not allow all
        // processors, and other cells use some of them.
        let worked = self.worked + running.values().sum::<Duration>();
        let pace = if worked < ENOUGH || elapsed.is_zero() {
            f64::from(cpus)
        } else {
            worked.as_secs_f64() / elapsed.as_secs_f64()
        };
        Some(work.div_f64(pace.clamp(0.1, f64::from(cpus).max(0.1))).max(longest))
    }
}

/// Whether a call compiles a source of the package itself.
fn counts(ask: &Ask) -> bool {
    ask.language != Language::Link && !is_probe(&ask.source)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn ask(source: &str) -> Ask {
        Ask {
            language: Language::Cuda,
            threads: 1,
            fewer_threads: false,
            repeatable: true,
            input_bytes: 0,
            flags: 0,
            compiler: "nvcc".to_owned(),
            source: source.to_owned(),
        }
    }

    fn progress() -> Progress {
        let left: HashMap<String, Duration> = [("a", 100), ("b", 60), ("c", 20), ("d", 20)]
            .map(|(name, wall)| (name.to_owned(), seconds(wall)))
            .into();
        let known = left.keys().cloned().collect();
        Progress { left, known, forecast: true, ..Progress::default() }
    }

    #[test]
    fn the_rest_is_divided_by_the_pace() {
        let mut progress = progress();
        let none = std::iter::empty;
        assert_eq!(progress.remaining(none(), seconds(0), 2), Some(seconds(100)));
        assert_eq!(progress.remaining(none(), seconds(0), 1), Some(seconds(200)));
        progress.finish(&ask("b"), seconds(60));
        // One at a time is what this machine manages, in spite of its processors.
        assert_eq!(progress.remaining(none(), seconds(60), 8), Some(seconds(140)));
        let running = [("a", seconds(90))];
        let remaining = progress.remaining(running.into_iter(), seconds(75), 8);
        assert_eq!(remaining, Some(seconds(25)), "two at a time: ten, twenty and twenty seconds");
        assert_eq!((progress.done(), progress.total()), (1, Some(4)));
        progress.ask(&ask("new"));
        progress.ask(&Ask { language: Language::Link, ..ask("lib.so") });
        progress.ask(&ask("/build/CMakeFiles/CMakeScratch/a/src.cu"));
        assert_eq!(progress.total(), Some(5));
    }

    #[test]
    fn nothing_is_said_about_a_package_that_is_new() {
        let mut progress = Progress::new(&Learned::default(), "new", &[]);
        progress.ask(&ask("a"));
        assert_eq!(progress.remaining(std::iter::empty(), seconds(9), 2), None);
        assert_eq!(progress.total(), None);
    }
}
