//! A machine with compilers that exists only in tests: it has a limit of memory, and a kernel that
//! kills when that is exceeded.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use wheelmill_model::ByteSize;

use super::{CellId, CompileId, Decision, Ended, Event, Policy, PolicySettings, Pressure, Wish};
use crate::learned::Learned;
use crate::protocol::{Ask, Language};
use crate::record::{CompileRecord, FlagsDigest, Outcome};

pub(super) const STEP: Duration = Duration::from_millis(100);
/// Memory rises until a third of the work is done, and stays there.
const RISE: f64 = 3.0;

/// What a source costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) cell: u32,
    pub(super) language: Language,
    pub(super) peak: u64,
    /// In steps.
    pub(super) steps: u32,
    pub(super) threads: u16,
    pub(super) repeatable: bool,
}

impl Job {
    pub(super) fn wish(&self, index: usize) -> Wish {
        Wish {
            cell: CellId(self.cell),
            package: format!("package-{}", self.cell),
            ask: Ask {
                language: self.language,
                threads: self.threads,
                fewer_threads: self.threads > 1,
                repeatable: self.repeatable,
                input_bytes: 0,
                flags: 7,
                compiler: "nvcc".to_owned(),
                source: format!("/build/{index}.cu"),
            },
        }
    }

    fn record(&self, index: usize, wall: Duration) -> CompileRecord {
        let wish = self.wish(index);
        CompileRecord {
            cell: format!("cell-{}", self.cell),
            package: wish.package,
            source: wish.ask.source,
            flags: FlagsDigest(wish.ask.flags),
            language: self.language,
            compiler: wish.ask.compiler,
            threads: 1,
            attempt: 1,
            estimate: ByteSize(0),
            peak_memory: ByteSize(self.peak),
            waited: Duration::ZERO,
            started: Timestamp::UNIX_EPOCH,
            wall,
            cpu: wall,
            outcome: Outcome::Success,
            cache: None,
            compiled: None,
        }
    }
}

/// What a simulated build came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    /// How many steps it took.
    pub(super) steps: u32,
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) kills: usize,
    pub(super) stops: usize,
    pub(super) decisions: Vec<String>,
}

struct Runs {
    /// How many thread-steps of work are done.
    work: u32,
    threads: u16,
    steps: u32,
    alone: bool,
}

/// Builds all jobs, of which each cell's build system has so many under way at a time.
pub(super) fn build(
    jobs: &[Job],
    slots: usize,
    limit: u64,
    settings: &PolicySettings,
    learned: Learned,
) -> (Course, Learned) {
    let cpus = settings.cpus;
    let budget = Some(limit - limit / 10);
    let mut policy = Policy::new(settings.clone(), learned);
    let mut course = Course::default();
    let mut running: BTreeMap<usize, Runs> = BTreeMap::new();
    let mut queued: Vec<usize> = (0..jobs.len()).rev().collect();
    let mut under_way: BTreeMap<u32, usize> = BTreeMap::new();
    let mut events = vec![Event::Machine { budget, pressure: Pressure::Calm }];
    let id = |index: usize| CompileId(index as u64);
    loop {
        // Build systems take the next source when one of theirs is done.
        queued.retain(|&index| {
            let mine = under_way.entry(jobs[index].cell).or_default();
            let starts = *mine < slots;
            if starts {
                *mine += 1;
                events.push(Event::Asked { id: id(index), wish: jobs[index].wish(index) });
            }
            !starts
        });
        let now = STEP * course.steps;
        while !events.is_empty() {
            for event in std::mem::take(&mut events) {
                for decision in policy.handle(now, event) {
                    course.decisions.push(format!("{} {decision:?}", course.steps));
                    match decision {
                        Decision::Start { id, threads, memory } => {
                            assert!(threads >= 1);
                            let used: u16 = running.values().map(|runs| runs.threads).sum();
                            assert!(used + threads <= cpus, "more threads than processors");
                            let fits = budget.is_none_or(|budget| policy.charged() <= budget);
                            assert!(running.is_empty() || fits, "started over the budget");
                            assert!(policy.charged() >= memory);
                            let alone = running.is_empty();
                            running.values_mut().for_each(|runs| runs.alone = false);
                            let runs = Runs { work: 0, threads, steps: 0, alone };
                            running.insert(id.0 as usize, runs);
                        }
                        Decision::Stop { id } => {
                            assert!(running.len() > 1, "the last one is never stopped");
                            course.stops += 1;
                            running.remove(&(id.0 as usize)).expect("it runs");
                            events.push(Event::Stopped { id });
                        }
                        Decision::Done { id } | Decision::Fail { id, .. } => {
                            let job = jobs[id.0 as usize];
                            *under_way.get_mut(&job.cell).unwrap() -= 1;
                            match decision {
                                Decision::Done { .. } => course.done += 1,
                                _ => course.failed += 1,
                            }
                        }
                        Decision::Again { .. } => course.kills += 1,
                    }
                }
            }
        }
        assert_eq!(policy.running(), running.len());
        assert!(policy.waiting() == 0 || !running.is_empty(), "something always runs");
        if running.is_empty() && queued.is_empty() {
            let learned = policy.learned().clone();
            return (course, learned);
        }
        course.steps += 1;
        assert!(course.steps < 1_000_000, "the build never ends");
        let held = |index: &usize, runs: &Runs| {
            let job = jobs[*index];
            let part = f64::from(runs.work) / f64::from(job.steps * u32::from(job.threads));
            (job.peak as f64 * (part * RISE).min(1.0)) as u64
        };
        // Each thread does one step of work.
        let mut ended = Vec::new();
        for (index, runs) in &mut running {
            runs.work += u32::from(runs.threads);
            runs.steps += 1;
            if runs.work >= jobs[*index].steps * u32::from(jobs[*index].threads) {
                ended.push(*index);
            }
        }
        let mut killed = Vec::new();
        loop {
            let alive = running.iter().filter(|(index, _)| !killed.contains(*index));
            let sum: u64 = alive.clone().map(|(index, runs)| held(index, runs)).sum();
            if sum <= limit {
                break;
            }
            killed.push(*alive.max_by_key(|(index, runs)| held(index, runs)).unwrap().0);
        }
        for index in running.keys().copied().collect::<Vec<_>>() {
            let was_killed = killed.contains(&index);
            if !was_killed && !ended.contains(&index) {
                continue;
            }
            let runs = running.remove(&index).unwrap();
            let peak = held(&index, &runs);
            let wall = STEP * runs.steps;
            if was_killed {
                assert!(!runs.alone || peak > limit || jobs[index].threads > 1);
            } else {
                policy.learn(&jobs[index].record(index, wall));
            }
            events.push(Event::Finished {
                id: id(index),
                ended: Ended {
                    success: !was_killed,
                    killed_for_memory: was_killed,
                    peak,
                    wall,
                    cpu: wall,
                },
            });
        }
        for (index, runs) in &running {
            events.push(Event::Measured { id: id(*index), memory: held(index, runs) });
        }
    }
}

/// How many steps the same jobs take when so many run at a time, whatever they need. None when one
/// of them is killed.
pub(super) fn with_fixed_jobs(jobs: &[Job], count: usize, limit: u64) -> Option<u32> {
    let mut queued: Vec<&Job> = jobs.iter().rev().collect();
    let mut running: Vec<(&Job, u32)> = Vec::new();
    let mut steps = 0;
    loop {
        while running.len() < count
            && let Some(job) = queued.pop()
        {
            running.push((job, 0));
        }
        if running.is_empty() {
            return Some(steps);
        }
        steps += 1;
        running.iter_mut().for_each(|(_, done)| *done += 1);
        let held = |(job, done): &(&Job, u32)| {
            let part = f64::from(*done) / f64::from(job.steps);
            (job.peak as f64 * (part * RISE).min(1.0)) as u64
        };
        if running.iter().map(held).sum::<u64>() > limit {
            return None;
        }
        running.retain(|(job, done)| *done < job.steps);
    }
}
