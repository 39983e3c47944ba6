//! The history of builds.

use std::slice::from_ref;
use std::time::Duration;

use serde_json::{Value, json};
use wheelmill_model::{ByteSize, Digest, Phase, RunId};
use wheelmill_store::{
    AttemptEnd, CancelledBy, CellCounts, NewCell, Outcome, Owner, RunOutcome, Store, StoreError,
};

use crate::fixture::{CELL, Folder, key, new_cell, new_run};
use crate::helper::Helper;

#[test]
fn a_run_is_told_again_as_it_went() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin_run(&new_run()).unwrap();
    let attempt = store.begin_attempt(&run, &new_cell(CELL)).unwrap();
    assert_eq!(attempt.log, store.home().join(format!("logs/{run}/{CELL}/1.log")));
    assert!(attempt.log.parent().unwrap().is_dir());
    store.set_key(attempt.id, &key("a")).unwrap();
    store.begin_phase(attempt.id, Phase::Fetch).unwrap();
    store.record(attempt.id, "source", &json!({"file": "torchsort-0.1.10.tar.gz"})).unwrap();
    store.begin_phase(attempt.id, Phase::Compile).unwrap();
    let living = store.run("last").unwrap();
    assert_eq!(living.summary.outcome, None);
    assert_eq!(living.summary.cells, CellCounts { total: 1, running: 1, ..CellCounts::default() });
    assert_eq!(living.attempts[0].phases[1].ended_at, None);

    let end = AttemptEnd {
        cause: Some(json!({"kind": "out-of-memory"})),
        exit_code: Some(137),
        peak_memory: Some(ByteSize(3 << 30)),
        wall: Some(Duration::from_millis(62_500)),
        compiles: Some(12),
        ..AttemptEnd::new(Outcome::Failed)
    };
    store.finish_attempt(attempt.id, &end).unwrap();
    store.finish_run(&run, RunOutcome::Failed).unwrap();

    let detail = Store::open(store.home()).unwrap().run(run.as_str()).unwrap();
    assert_eq!(detail.summary.command_line, ["wheelmill", "build", "torchsort"]);
    assert_eq!(detail.summary.outcome, Some(RunOutcome::Failed));
    assert_eq!(detail.summary.cells, CellCounts { total: 1, failed: 1, ..CellCounts::default() });
    let [told] = &detail.attempts[..] else { panic!("{detail:?}") };
    assert_eq!((told.id, told.number, told.key), (attempt.id, 1, Some(key("a"))));
    assert_eq!(told.outcome, Some(Outcome::Failed));
    assert_eq!(
        (told.exit_code, told.peak_memory, told.wall, told.compiles),
        (end.exit_code, end.peak_memory, end.wall, end.compiles)
    );
    assert_eq!((&told.cause, &told.log), (&end.cause, &attempt.log));
    let [fetch, compile] = &told.phases[..] else { panic!("{told:?}") };
    assert_eq!((fetch.phase, compile.phase), (Phase::Fetch, Phase::Compile));
    assert_eq!(fetch.ended_at, Some(compile.started_at));
    assert_eq!(compile.ended_at, told.ended_at);
    let [event] = &told.events[..] else { panic!("{told:?}") };
    assert_eq!(event.kind, "source");
    assert!(fetch.started_at <= event.at && event.at <= compile.started_at);

    let json = serde_json::to_value(&detail).unwrap();
    assert_eq!(json["started-at"], detail.summary.started_at.to_string());
    assert_eq!(json["attempts"][0]["wall-seconds"], 62.5);
    assert_eq!(json["attempts"][0]["peak-memory-bytes"], 3_u64 << 30);
    assert_eq!(json["attempts"][0]["phases"][0]["phase"], "fetch");
}

#[test]
fn attempts_at_a_cell_are_counted_over_all_runs() {
    let folder = Folder::new();
    let store = folder.store();
    let numbers = ["a", "b", "a", "a"].map(|cell| {
        let run = store.begin_run(&new_run()).unwrap();
        store.begin_attempt(&run, &new_cell(cell)).unwrap().number
    });
    assert_eq!(numbers, [1, 1, 2, 3]);
}

#[test]
fn a_run_is_found_by_what_names_it_alone() {
    let folder = Folder::new();
    let store = folder.store();
    assert!(matches!(store.run("last"), Err(StoreError::NoSuchRun { .. })));
    let runs = [(); 3].map(|()| store.begin_run(&new_run()).unwrap());

    assert_eq!(store.run("last").unwrap().summary.id, runs[2]);
    assert_eq!(store.run(runs[0].as_str()).unwrap().summary.id, runs[0]);
    let listed: Vec<_> = store.runs(2).unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(listed, [runs[2].clone(), runs[1].clone()]);

    // All three began within this century.
    let Err(StoreError::AmbiguousRun { candidates, .. }) = store.run("20") else { panic!() };
    assert_eq!(candidates, [2, 1, 0].map(|index: usize| runs[index].to_string()));
    for unknown in ["", "%", "19990101-000000-0000"] {
        assert!(matches!(store.run(unknown), Err(StoreError::NoSuchRun { .. })), "{unknown}");
    }
}

#[test]
fn what_was_never_begun_is_named_in_the_error() {
    let folder = Folder::new();
    let store = folder.store();
    let run = RunId::from_text("20260101-000000-0000");
    for result in [
        store.begin_attempt(&run, &new_cell(CELL)).map(drop),
        store.finish_run(&run, RunOutcome::Done),
        store.owner_of(&run).map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::NoSuchRun { text }) if text == run.as_str()));
    }
    let other = Folder::new().store();
    let foreign = {
        let run = other.begin_run(&new_run()).unwrap();
        other.begin_attempt(&run, &new_cell(CELL)).unwrap().id
    };
    for result in [
        store.set_key(foreign, &key("a")),
        store.begin_phase(foreign, Phase::Fetch),
        store.record(foreign, "event", &Value::Null),
        store.finish_attempt(foreign, &AttemptEnd::new(Outcome::Built)),
    ] {
        assert!(matches!(
            result,
            Err(StoreError::NoSuchAttempt { attempt }) if attempt == foreign
        ));
    }
}

#[test]
fn a_finished_run_leaves_no_attempt_running() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin_run(&new_run()).unwrap();
    let attempt = store.begin_attempt(&run, &new_cell(CELL)).unwrap();
    store.begin_phase(attempt.id, Phase::Compile).unwrap();
    store.finish_run(&run, RunOutcome::Cancelled).unwrap();

    let detail = store.run("last").unwrap();
    assert_eq!(detail.attempts[0].outcome, Some(Outcome::Cancelled));
    assert_eq!(detail.attempts[0].phases[0].ended_at, detail.attempts[0].ended_at);
    assert_eq!(store.owner_of(&run).unwrap(), None);
}

#[test]
fn the_run_of_a_killed_process_is_interrupted_and_that_of_a_living_one_is_not() {
    let folder = Folder::new();
    let store = folder.store();
    let mut helper = Helper::start(&["hold a run", folder.home().as_str()]);
    let run = RunId::from_text(helper.line());

    assert_eq!(store.settle_dead_runs().unwrap(), []);
    let owner = store.owner_of(&run).unwrap().unwrap();
    assert_eq!(owner.pid, helper.child.id());

    helper.child.kill().unwrap();
    helper.child.wait().unwrap();
    assert_eq!(store.owner_of(&run).unwrap(), None);
    assert_eq!(store.settle_dead_runs().unwrap(), from_ref(&run));
    assert_eq!(store.settle_dead_runs().unwrap(), []);

    let detail = store.run(run.as_str()).unwrap();
    assert_eq!(detail.summary.outcome, Some(RunOutcome::Interrupted));
    let [attempt] = &detail.attempts[..] else { panic!("{detail:?}") };
    assert_eq!(attempt.outcome, Some(Outcome::Interrupted));
    // The last that was heard of it is that it began to compile, not that we looked.
    assert_eq!(detail.summary.ended_at, Some(attempt.phases[0].started_at));
    assert_eq!(detail.summary.cancelled_by, None);
    assert_eq!(attempt.ended_at, detail.summary.ended_at);
}

#[test]
fn a_killed_run_lived_until_the_last_line_of_its_log() {
    let folder = Folder::new();
    let dead = folder.store();
    let run = dead.begin_run(&new_run()).unwrap();
    let attempt = dead.begin_attempt(&run, &new_cell(CELL)).unwrap();
    dead.begin_phase(attempt.id, Phase::Compile).unwrap();
    let last = std::time::SystemTime::now();
    fs_err::File::create(&attempt.log).unwrap().set_modified(last).unwrap();
    drop(dead);
    let store = folder.store();
    store.settle_dead_runs().unwrap();
    let ended = store.run("last").unwrap().summary.ended_at.unwrap();
    assert_eq!(ended.as_microsecond(), jiff::Timestamp::try_from(last).unwrap().as_microsecond());
}

#[test]
fn a_cancelled_run_tells_who_stopped_it() {
    let folder = Folder::new();
    let store = folder.store();
    let stopped_by = |wishes: &[CancelledBy], outcome| {
        let run = store.begin_run(&new_run()).unwrap();
        for by in wishes {
            store.note_cancelled_by(&run, *by).unwrap();
        }
        store.finish_run(&run, outcome).unwrap();
        store.run("last").unwrap().summary.cancelled_by
    };
    let (ctrl_c, term) = (CancelledBy::Interrupt, CancelledBy::Terminate);
    let command = CancelledBy::RunsCancel;
    assert_eq!(stopped_by(&[ctrl_c, term], RunOutcome::Cancelled), Some(ctrl_c));
    // The command stops a run by a signal; whichever of the two writes first.
    assert_eq!(stopped_by(&[ctrl_c, command], RunOutcome::Cancelled), Some(command));
    assert_eq!(stopped_by(&[command, ctrl_c], RunOutcome::Cancelled), Some(command));
    assert_eq!(stopped_by(&[], RunOutcome::Cancelled), None);
    assert_eq!(stopped_by(&[command], RunOutcome::Done), None, "it was over before");
}

#[test]
fn the_next_run_settles_the_one_before_it() {
    let folder = Folder::new();
    let dead = folder.store().begin_run(&new_run()).unwrap();
    let store = folder.store();
    let living = store.begin_run(&new_run()).unwrap();
    assert_eq!(store.run(dead.as_str()).unwrap().summary.outcome, Some(RunOutcome::Interrupted));
    assert_eq!(store.run(living.as_str()).unwrap().summary.outcome, None);
    assert_eq!(store.owner_of(&living).unwrap(), Some(Owner::current().unwrap()));
}

#[test]
fn a_process_that_cannot_be_seen_is_not_signalled() {
    let folder = Folder::new();
    let store = folder.store();
    let mut elsewhere = new_run();
    elsewhere.owner.process_started += 1;
    let run = store.begin_run(&elsewhere).unwrap();
    assert!(matches!(
        store.owner_of(&run),
        Err(StoreError::OwnerElsewhere { pid, .. }) if pid == std::process::id()
    ));
}

#[test]
fn the_most_alike_of_the_newest_builds_foretells_the_next() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin_run(&new_run()).unwrap();
    let spec = |cuda: &str, torch: &str| json!({"cuda": cuda, "torch": torch});
    let build = |spec: Value, seconds: u64, outcome: Outcome| {
        let attempt = store.begin_attempt(&run, &NewCell { spec, ..new_cell(CELL) }).unwrap();
        let end = AttemptEnd {
            wall: Some(Duration::from_secs(seconds)),
            wheel: Some(Digest::of(b"")),
            ..AttemptEnd::new(outcome)
        };
        store.finish_attempt(attempt.id, &end).unwrap();
    };
    build(spec("13.0", "2.11"), 100, Outcome::Built);
    build(spec("13.0", "2.11"), 120, Outcome::Built);
    build(spec("12.9", "2.11"), 300, Outcome::Built);
    build(spec("13.0", "2.10"), 500, Outcome::Built);
    build(spec("13.0", "2.11"), 1, Outcome::Failed);
    build(spec("13.0", "2.11"), 0, Outcome::Stored);

    let package = "torchsort".parse().unwrap();
    let expectations = store.expectations(&package).unwrap();
    let seconds =
        |cuda, torch| expectations.of(&spec(cuda, torch)).unwrap().wall.unwrap().as_secs();
    assert_eq!(seconds("13.0", "2.11"), 120);
    assert_eq!(seconds("12.9", "2.9"), 300);
    assert_eq!(seconds("13.0", "2.9"), 500);
    assert_eq!(seconds("11.8", "2.0"), 500);
    assert_eq!(store.expected(&"pycuda".parse().unwrap(), &Value::Null).unwrap(), None);

    // Code for each architecture takes its time, and another version may take any.
    let of = |version: &str, list: &str| json!({"version": version, "cuda": "13.0", "torch": "2.11", "architectures": list});
    build(of("1.0", "8.0;9.0"), 60, Outcome::Built);
    build(of("1.0", "7.5;8.0;9.0;10.0;12.0"), 200, Outcome::Built);
    let expectations = store.expectations(&package).unwrap();
    let seconds = |version, list| Some(expectations.of(&of(version, list))?.wall?.as_secs());
    assert_eq!(seconds("1.0", "8.0;9.0"), Some(60));
    assert_eq!(seconds("1.0", "8.0;12.0"), Some(60));
    assert_eq!(seconds("1.0", "9.0"), Some(40));
    assert_eq!(seconds("2.0", "9.0"), None);
}

#[test]
fn what_a_build_compiles_is_told_by_the_last_one_that_came_to_a_wheel() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin_run(&new_run()).unwrap();
    let package = new_cell(CELL).package;
    let attempt = |sources: &[&str], outcome: Option<Outcome>| {
        let id = store.begin_attempt(&run, &new_cell(CELL)).unwrap().id;
        let records: Vec<Value> = sources.iter().map(|source| json!(source)).collect();
        store.add_compiles(id, &records).unwrap();
        if let Some(outcome) = outcome {
            store.finish_attempt(id, &AttemptEnd::new(outcome)).unwrap();
        }
    };
    attempt(&["a", "old"], Some(Outcome::Cancelled));
    assert_eq!(store.compiles_of_last_build(&package).unwrap(), Vec::<Value>::new());
    attempt(&["b"], Some(Outcome::Built));
    assert_eq!(store.compiles_of_last_build(&package).unwrap(), ["a", "old", "b"]);
    // One that was interrupted, and one that goes on from it.
    attempt(&["a"], None);
    assert_eq!(store.compiles_of_last_build(&package).unwrap(), ["a", "old", "b"]);
    attempt(&["b", "c"], Some(Outcome::Built));
    assert_eq!(store.compiles_of_last_build(&package).unwrap(), ["a", "b", "c"]);
}

#[test]
fn compiles_are_kept_for_the_newest_attempts_at_a_package() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin_run(&new_run()).unwrap();
    let other = NewCell { package: "other".parse().unwrap(), ..new_cell("other") };
    let other = store.begin_attempt(&run, &other).unwrap().id;
    store.add_compiles(other, &[json!("other.cu")]).unwrap();
    let mut attempts = Vec::new();
    for number in 0..10 {
        // One that compiled nothing forgets nothing.
        store.begin_attempt(&run, &new_cell(CELL)).unwrap();
        let attempt = store.begin_attempt(&run, &new_cell(CELL)).unwrap().id;
        store.add_compiles(attempt, &[json!({ "source": number })]).unwrap();
        store.add_compiles(attempt, &[json!({ "source": "last" })]).unwrap();
        attempts.push(attempt);
    }
    let kept: Vec<Value> = store.compiles_of(&new_cell(CELL).package).unwrap();
    assert_eq!(kept.len(), 16, "{kept:?}");
    assert_eq!((&kept[0]["source"], &kept[15]["source"]), (&json!(2), &json!("last")));
    let of_run = store.compiles_in(&run).unwrap();
    assert_eq!(of_run[&attempts[9]], [json!({ "source": 9 }), json!({ "source": "last" })]);
    assert_eq!(of_run[&other], [json!("other.cu")], "another package is another matter");
    assert!(!of_run.contains_key(&attempts[1]));
}
