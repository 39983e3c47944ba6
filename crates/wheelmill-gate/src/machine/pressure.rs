//! How much programs wait for memory.
//!
//! Best is the kernel's own account of stalls (PSI, see the kernel's documentation of `psi`): of the
//! container where there is one, else of the machine. In control groups of the old kind there is
//! none, so the pages that were dropped and read again are counted beside the machine's.

use std::fs;
use std::time::{Duration, Instant};

use super::cgroup::Cgroup;
use crate::policy::Pressure;

/// Rates are taken over at least this time.
const WINDOW: Duration = Duration::from_secs(1);

/// The part of the time in which some program waits, above which nothing more is started.
const SOME_HIGH: f64 = 0.3;
/// The part of the time in which nothing else is done than waiting, above which less is more.
const FULL_STALLED: f64 = 0.5;
/// For a container of which only the machine's stalls are known.
const SOME_STALLED: f64 = 0.7;
/// Pages read again in a second: so many do not happen while everything fits.
const REFAULTS_HIGH: f64 = 2_000.0;
const REFAULTS_STALLED: f64 = 20_000.0;

/// Totals since ever.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    stalls: Option<Stalls>,
    refaults: Option<u64>,
}

/// In microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stalls {
    some: u64,
    full: u64,
}

/// What happened in a window.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    /// Parts of the time.
    some: Option<f64>,
    full: Option<f64>,
    /// Per second.
    refaults: Option<f64>,
}

/// Watches one place.
#[derive(Debug)]
pub(crate) struct PressureMeter {
    group: Option<Cgroup>,
    last: (Instant, Totals),
    level: Pressure,
}

impl PressureMeter {
    /// Watches a control group, or the machine.
    pub(crate) fn new(group: Option<Cgroup>) -> Self {
        let totals = totals(group.as_ref());
        Self { group, last: (Instant::now(), totals), level: Pressure::Calm }
    }

    /// How it is in the newest window.
    pub(crate) fn read(&mut self) -> Pressure {
        let (then, before) = self.last;
        let elapsed = then.elapsed();
        if elapsed >= WINDOW {
            let now = totals(self.group.as_ref());
            self.level = judge(rates(before, now, elapsed));
            self.last = (Instant::now(), now);
        }
        self.level
    }
}

fn totals(group: Option<&Cgroup>) -> Totals {
    let Some(group) = group else {
        let machine = fs::read_to_string("/proc/pressure/memory").ok();
        return Totals { stalls: machine.as_deref().and_then(stalls), refaults: None };
    };
    match group.pressure() {
        Some(text) => Totals { stalls: stalls(&text), refaults: None },
        None => Totals { refaults: group.refaults(), ..totals(None) },
    }
}

/// Reads lines such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=358262895`.
fn stalls(text: &str) -> Option<Stalls> {
    let total = |kind: &str| {
        let line = text.lines().find(|line| line.starts_with(kind))?;
        line.rsplit_once("total=")?.1.trim().parse().ok()
    };
    Some(Stalls { some: total("some ")?, full: total("full ")? })
}

fn rates(before: Totals, now: Totals, elapsed: Duration) -> Rates {
    let seconds = elapsed.as_secs_f64();
    let share = |pick: fn(Stalls) -> u64| {
        let grown = pick(now.stalls?).saturating_sub(pick(before.stalls?));
        Some(grown as f64 / 1e6 / seconds)
    };
    let refaults = || Some(now.refaults?.saturating_sub(before.refaults?) as f64 / seconds);
    Rates { some: share(|it| it.some), full: share(|it| it.full), refaults: refaults() }
}

fn judge(rates: Rates) -> Pressure {
    let level = |stalled: bool, high: bool| match (stalled, high) {
        (true, _) => Pressure::Stalled,
        (false, true) => Pressure::High,
        (false, false) => Pressure::Calm,
    };
    match rates {
        Rates { some: Some(some), full: Some(full), refaults: None } => {
            level(full >= FULL_STALLED, some >= SOME_HIGH)
        }
        // Others may stall the machine: only when this place drops pages is it to blame.
        Rates { some: Some(some), refaults: Some(refaults), .. } => {
            let here = refaults >= REFAULTS_HIGH;
            level(here && some >= SOME_STALLED, here && some >= SOME_HIGH)
        }
        Rates { refaults: Some(refaults), .. } => {
            level(refaults >= REFAULTS_STALLED, refaults >= REFAULTS_HIGH)
        }
        _ => Pressure::Calm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_are_read_and_judged() {
        let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=300\nfull avg10=0.00 total=100\n";
        assert_eq!(stalls(text), Some(Stalls { some: 300, full: 100 }));
        assert_eq!(stalls("some total=x"), None);
        let at = |some, full| Totals { stalls: Some(Stalls { some, full }), refaults: None };
        let judged = |some: u64, full: u64| {
            judge(rates(at(7, 3), at(7 + some, 3 + full), Duration::from_secs(2)))
        };
        assert_eq!(judged(100_000, 0), Pressure::Calm);
        assert_eq!(judged(800_000, 100_000), Pressure::High);
        assert_eq!(judged(1_900_000, 1_200_000), Pressure::Stalled);
    }

    #[test]
    fn a_stalled_machine_is_not_blamed_on_a_container_that_reads_nothing_again() {
        let rates = |refaults| Rates { some: Some(0.9), full: Some(0.9), refaults: Some(refaults) };
        assert_eq!(judge(rates(10.0)), Pressure::Calm);
        assert_eq!(judge(rates(5_000.0)), Pressure::Stalled);
        let alone = |refaults| Rates { refaults: Some(refaults), ..Rates::default() };
        assert_eq!(judge(alone(5_000.0)), Pressure::High);
        assert_eq!(judge(alone(50_000.0)), Pressure::Stalled);
        assert_eq!(judge(Rates::default()), Pressure::Calm);
    }
}
