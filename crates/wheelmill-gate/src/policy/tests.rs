use std::time::Duration;

use proptest::prelude::*;
use wheelmill_model::ByteSize;

use super::simulation::{Course, Job, build, with_fixed_jobs};
use super::{CellId, CompileId, Decision, Ended, Event, Failure, Policy, PolicySettings, Pressure};
use crate::learned::Learned;
use crate::protocol::Language;

const GIB: u64 = 1 << 30;

fn settings(cpus: u16) -> PolicySettings {
    PolicySettings { cuda: ByteSize(GIB), ..PolicySettings::with_cpus(cpus) }
}

fn job(peak: u64, steps: u32) -> Job {
    Job { cell: 0, language: Language::Cuda, peak, steps, threads: 1, repeatable: true }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A policy with a budget.
fn policy(cpus: u16, budget: u64) -> Policy {
    let mut policy = Policy::new(settings(cpus), Learned::default());
    let machine = Event::Machine { budget: Some(budget), pressure: Pressure::Calm };
    assert_eq!(policy.handle(Duration::ZERO, machine), []);
    policy
}

fn asked(index: usize, job: Job) -> Event {
    Event::Asked { id: CompileId(index as u64), wish: job.wish(index) }
}

fn started(decisions: &[Decision]) -> Vec<u64> {
    let ids = decisions.iter().filter_map(|decision| match decision {
        Decision::Start { id, .. } => Some(id.0),
        _ => None,
    });
    ids.collect()
}

fn ended(success: bool, killed_for_memory: bool, peak: u64) -> Ended {
    Ended { success, killed_for_memory, peak, wall: seconds(1), cpu: seconds(1) }
}

fn finished(index: u64) -> Event {
    Event::Finished { id: CompileId(index), ended: ended(true, false, GIB) }
}

fn killed(index: u64, peak: u64) -> Event {
    Event::Finished { id: CompileId(index), ended: ended(false, true, peak) }
}

#[test]
fn memory_and_processors_both_limit() {
    let mut few_processors = policy(2, 100 * GIB);
    let mut little_memory = policy(8, 3 * GIB);
    let run = |policy: &mut Policy| {
        (0..5)
            .flat_map(|index| started(&policy.handle(seconds(0), asked(index, job(1, 1)))))
            .count()
    };
    assert_eq!(run(&mut few_processors), 2);
    assert_eq!(run(&mut little_memory), 3);
    assert_eq!(started(&little_memory.handle(seconds(1), finished(0))), [3]);
}

#[test]
fn one_is_admitted_whatever_it_needs() {
    let mut policy = policy(4, 1);
    let stalled = Event::Machine { budget: Some(1), pressure: Pressure::Stalled };
    policy.handle(seconds(0), stalled);
    assert_eq!(started(&policy.handle(seconds(0), asked(0, job(1, 1)))), [0]);
    assert_eq!(started(&policy.handle(seconds(0), asked(1, job(1, 1)))), [0; 0]);
    assert_eq!(started(&policy.handle(seconds(1), finished(0))), [1]);
}

#[test]
fn what_is_really_used_counts_when_it_is_more() {
    let mut policy = policy(8, 4 * GIB);
    policy.handle(seconds(0), asked(0, job(1, 1)));
    policy.handle(seconds(0), Event::Measured { id: CompileId(0), memory: 7 * GIB / 2 });
    assert_eq!(started(&policy.handle(seconds(1), asked(1, job(1, 1)))), [0; 0]);
    // It shrinks again, but what it was estimated at stays its charge.
    let shrinks = Event::Measured { id: CompileId(0), memory: 0 };
    assert_eq!(started(&policy.handle(seconds(2), shrinks)), [1]);
    assert_eq!(policy.charged(), 2 * GIB);
}

#[test]
fn the_longest_known_goes_first() {
    let jobs = [job(GIB / 4, 10), job(GIB / 4, 500), job(GIB / 4, 100)];
    let (_, learned) = build(&jobs, 3, 64 * GIB, &settings(1), Learned::default());
    let mut policy = Policy::new(settings(1), learned);
    policy.handle(seconds(0), asked(9, job(GIB, 1)));
    for (index, job) in jobs.into_iter().enumerate() {
        policy.handle(seconds(0), asked(index, job));
    }
    let order: Vec<u64> = [9, 1, 2]
        .into_iter()
        .flat_map(|last| started(&policy.handle(seconds(1), finished(last))))
        .collect();
    assert_eq!(order, [1, 2, 0]);
}

#[test]
fn a_large_one_is_not_passed_over_for_ever() {
    let mut policy = policy(2, 4 * GIB);
    policy.handle(seconds(0), asked(0, job(1, 1)));
    // Stopped at four GiB, it fits only alone.
    policy.handle(seconds(0), asked(1, job(1, 1)));
    policy.handle(seconds(0), Event::Measured { id: CompileId(1), memory: 4 * GIB });
    policy.handle(seconds(0), Event::Stopped { id: CompileId(1) });
    let mut running = std::collections::VecDeque::from([0]);
    for next in 2..20 {
        running.extend(started(&policy.handle(seconds(1), asked(next, job(1, 1)))));
        let Some(first) = running.pop_front() else { panic!("nothing runs") };
        running.extend(started(&policy.handle(seconds(2), finished(first))));
        if running == [1] {
            return;
        }
        assert!(!running.contains(&1), "it is too large to run beside others");
    }
    panic!("it never ran");
}

#[test]
fn threads_are_lowered_to_what_is_free() {
    let mut policy = policy(4, 100 * GIB);
    let wide = Job { threads: 3, ..job(1, 1) };
    let threads = |decisions: Vec<Decision>| match decisions[..] {
        [.., Decision::Start { threads, .. }] => threads,
        _ => panic!("{decisions:?}"),
    };
    assert_eq!(threads(policy.handle(seconds(0), asked(0, wide))), 3);
    assert_eq!(threads(policy.handle(seconds(0), asked(1, wide))), 1);
    assert_eq!(policy.handle(seconds(0), asked(2, wide)), []);
    assert_eq!(threads(policy.handle(seconds(1), finished(0))), 3);
}

#[test]
fn pressure_pauses_and_then_stops_the_youngest() {
    let mut policy = policy(4, 100 * GIB);
    for index in 0..2 {
        policy.handle(seconds(index), asked(index as usize, job(1, 1)));
    }
    policy.handle(seconds(2), asked(2, Job { repeatable: false, ..job(1, 1) }));
    let pressure = |pressure| Event::Machine { budget: Some(100 * GIB), pressure };
    assert_eq!(policy.handle(seconds(3), pressure(Pressure::High)), []);
    assert_eq!(policy.handle(seconds(4), asked(3, job(1, 1))), []);
    // The youngest that can be run again.
    let stop = |index| [Decision::Stop { id: CompileId(index) }];
    assert_eq!(policy.handle(seconds(5), pressure(Pressure::Stalled)), stop(1));
    assert_eq!(policy.handle(seconds(6), pressure(Pressure::Stalled)), []);
    policy.handle(seconds(6), Event::Stopped { id: CompileId(1) });
    assert_eq!(policy.handle(seconds(9), pressure(Pressure::Stalled)), stop(0));
    policy.handle(seconds(9), Event::Stopped { id: CompileId(0) });
    // One that was stopped waits for others to end, also when all is well again.
    assert_eq!(started(&policy.handle(seconds(10), pressure(Pressure::Calm))), [3]);
    assert_eq!(started(&policy.handle(seconds(11), finished(2))), [0, 1]);
}

#[test]
fn what_the_kernel_killed_is_run_again_with_twice_the_memory() {
    let mut policy = policy(4, 4 * GIB);
    for index in 0..4 {
        policy.handle(seconds(0), asked(index, job(1, 1)));
    }
    let peak = 3 * GIB / 2;
    let again = Decision::Again { id: CompileId(1) };
    assert_eq!(policy.handle(seconds(1), killed(1, peak)), [again]);
    // Three GiB are charged for it now.
    assert_eq!(policy.handle(seconds(2), finished(0)), [Decision::Done { id: CompileId(0) }]);
    let decisions = policy.handle(seconds(3), finished(2));
    assert!(decisions.contains(&Decision::Start {
        id: CompileId(1),
        threads: 1,
        memory: 2 * peak
    }));
}

#[test]
fn what_does_not_fit_alone_fails_with_its_peak() {
    let mut policy = policy(4, 4 * GIB);
    policy.handle(seconds(0), asked(0, Job { threads: 4, ..job(1, 1) }));
    // With one thread it may need less.
    let again = policy.handle(seconds(1), killed(0, 4 * GIB));
    assert!(matches!(again[..], [Decision::Again { .. }, Decision::Start { threads: 1, .. }]));
    let failure = Failure::TooLarge { peak: 5 * GIB, budget: Some(4 * GIB) };
    let fail = Decision::Fail { id: CompileId(0), failure };
    assert_eq!(policy.handle(seconds(2), killed(0, 5 * GIB)), [fail]);
}

#[test]
fn what_cannot_be_run_twice_is_not() {
    let mut policy = policy(4, 4 * GIB);
    policy.handle(seconds(0), asked(0, Job { repeatable: false, ..job(1, 1) }));
    let decisions = policy.handle(seconds(1), killed(0, GIB));
    assert!(matches!(
        decisions[..],
        [Decision::Fail { failure: Failure::NotRepeatable { peak: GIB }, .. }]
    ));
}

#[test]
fn who_is_gone_leaves_room() {
    let mut policy = policy(1, 4 * GIB);
    for index in 0..3 {
        policy.handle(seconds(0), asked(index, job(1, 1)));
    }
    assert_eq!(policy.handle(seconds(1), Event::Gone { id: CompileId(1) }), []);
    assert_eq!(started(&policy.handle(seconds(1), Event::Gone { id: CompileId(0) })), [2]);
    assert_eq!((policy.running(), policy.waiting()), (1, 0));
}

#[test]
fn a_container_has_its_own_limit_and_does_not_hold_up_others() {
    let mut policy = policy(16, 100 * GIB);
    let small = Event::Cell { cell: CellId(1), budget: Some(2 * GIB), pressure: Pressure::Calm };
    policy.handle(seconds(0), small);
    let in_cell = |cell| Job { cell, ..job(1, 1) };
    let mut ids = Vec::new();
    for index in 0..4 {
        ids.extend(started(&policy.handle(seconds(0), asked(index, in_cell(1)))));
    }
    for index in 4..60 {
        ids.extend(started(&policy.handle(seconds(0), asked(index, in_cell(2)))));
    }
    assert_eq!(ids.len(), 16);
    assert_eq!(ids.iter().filter(|&&id| id < 4).count(), 2);
    // Those that wait for the small container never close the machine to others.
    for index in 4..40 {
        assert_eq!(started(&policy.handle(seconds(1), finished(index))).len(), 1);
    }
}

#[test]
fn guesses_become_better_while_a_package_is_built() {
    let small = vec![job(GIB / 100, 10); 60];
    let modest = PolicySettings { cuda: ByteSize(2 * GIB), ..settings(8) };
    let (course, _) = build(&small, 16, 4 * GIB, &modest, Learned::default());
    // After three, eight at a time: not one at a time, as the default would have it.
    assert!(course.steps < 60 * 10 / 4, "{}", course.steps);
}

#[test]
fn a_second_build_is_as_good_as_the_best_number_of_jobs() {
    // Few large ones and many small ones, in an order that does not help.
    let jobs: Vec<Job> = (0..60)
        .map(|index| match index % 10 {
            3 => job(3 * GIB, 400),
            7 => job(GIB, 150),
            _ => job(GIB / 5, 40),
        })
        .collect();
    let limit = 6 * GIB;
    // Nobody is so bold as to leave nothing for the files that compilers read.
    let room = limit - limit / 10;
    let fixed = |count| with_fixed_jobs(&jobs, count, room);
    let best = (1..=8).filter_map(fixed).min().unwrap();
    assert!(fixed(8).is_none(), "all processors would be too many");
    let (first, learned) = build(&jobs, 16, limit, &settings(8), Learned::default());
    let (second, _) = build(&jobs, 16, limit, &settings(8), learned);
    assert_eq!((first.done, second.done), (60, 60));
    assert_eq!((second.kills, second.stops), (0, 0));
    let ratio = f64::from(second.steps) / f64::from(best);
    assert!(ratio <= 1.05, "{ratio}: {} against {best} steps", second.steps);
}

prop_compose! {
    fn any_job()(
        cell in 0_u32..3,
        language in prop::sample::select(Language::ALL.to_vec()),
        peak in 1_u64..5 * GIB,
        steps in 1_u32..60,
        threads in 1_u16..6,
        repeatable in prop::bool::weighted(0.9),
    ) -> Job {
        Job { cell, language, peak, steps, threads, repeatable }
    }
}

fn built(jobs: &[Job], slots: usize, limit: u64, cpus: u16) -> (Course, Learned) {
    build(jobs, slots, limit, &settings(cpus), Learned::default())
}

proptest! {
    /// The simulation itself checks at each step that neither processors nor the budget are
    /// exceeded by what is started, and that something runs while anything waits.
    #[test]
    fn every_build_ends(
        jobs in prop::collection::vec(any_job(), 1..40),
        slots in 1_usize..12,
        limit in GIB..8 * GIB,
        cpus in 1_u16..9,
    ) {
        let (course, learned) = built(&jobs, slots, limit, cpus);
        prop_assert_eq!(course.done + course.failed, jobs.len());
        // What fits is built.
        let hopeless = jobs.iter().filter(|job| job.peak > limit || !job.repeatable).count();
        prop_assert!(course.failed <= hopeless, "{} failed", course.failed);
        // The same again gives the same, and what was learned keeps the kernel from killing.
        prop_assert_eq!(&built(&jobs, slots, limit, cpus).0, &course);
        let (second, _) = build(&jobs, slots, limit, &settings(cpus), learned);
        if hopeless == 0 {
            prop_assert_eq!(second.kills, 0);
        }
    }

    /// Whatever is heard, in whatever order, nothing breaks.
    #[test]
    fn any_events_are_borne(
        events in prop::collection::vec((0_u64..6, 0_u8..7, any_job(), 0_u64..GIB), 0..200),
    ) {
        let mut policy = policy(3, 2 * GIB);
        let mut known = std::collections::BTreeSet::new();
        for (step, (index, kind, job, memory)) in events.into_iter().enumerate() {
            let id = CompileId(index);
            let pressure = [Pressure::Calm, Pressure::High, Pressure::Stalled][memory as usize % 3];
            let event = match kind {
                // A name is given once.
                0 | 1 if !known.insert(index) => continue,
                0 | 1 => asked(index as usize, job),
                2 => Event::Measured { id, memory },
                3 => Event::Finished { id, ended: ended(memory % 2 == 0, memory % 3 == 0, memory) },
                4 => Event::Stopped { id },
                5 => Event::Machine { budget: Some(memory), pressure },
                _ => Event::Cell { cell: CellId(job.cell), budget: Some(memory), pressure },
            };
            policy.handle(seconds(step as u64), event);
            prop_assert!(policy.waiting() == 0 || policy.running() > 0);
        }
    }
}
