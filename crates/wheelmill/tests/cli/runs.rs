//! `wheelmill runs`, on a history that the test writes while the program reads it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use fs_err::OpenOptions;
use insta::{Settings, assert_snapshot};
use serde_json::json;
use wheelmill_model::{ByteSize, Phase, RunId};
use wheelmill_store::{
    Attempt, AttemptEnd, CancelledBy, NewCell, NewRun, Outcome, Owner, RunOutcome, Store,
};

use crate::fixture::Place;

fn begin(store: &Store, cells: &[&str]) -> (RunId, Vec<Attempt>) {
    let words = ["/usr/bin/wheelmill", "build", "torchsort==0.1.10", "--arch", "8.0;9.0"];
    let run = store
        .begin_run(&NewRun {
            command_line: words.map(str::to_owned).to_vec(),
            project: None,
            version: "0.1.0".to_owned(),
            owner: Owner::current().unwrap(),
        })
        .unwrap();
    let attempts = cells
        .iter()
        .map(|cell| {
            let cell = NewCell {
                id: (*cell).to_owned(),
                key: None,
                package: "torchsort".parse().unwrap(),
                spec: json!({}),
            };
            store.begin_attempt(&run, &cell).unwrap()
        })
        .collect();
    (run, attempts)
}

fn fail(store: &Store, attempt: &Attempt) {
    store.begin_phase(attempt.id, Phase::Compile).unwrap();
    let cause = json!({
        "cause": "missing-tool",
        "phase": "compile",
        "message": "no compiler was found",
        "fixes": ["name one in the recipe: `system-packages = [\"c++\"]`"],
        "lines": ["error: command 'g++' failed: No such file \u{1b}[2J or directory"],
        "log": attempt.log,
    });
    let end = AttemptEnd {
        cause: Some(cause),
        exit_code: Some(1),
        peak_memory: Some(ByteSize(3 << 30)),
        ..AttemptEnd::new(Outcome::Failed)
    };
    store.finish_attempt(attempt.id, &end).unwrap();
}

fn log(attempt: &Attempt, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(&attempt.log).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn with_filters(test: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"\d{8}-\d{6}-[0-9a-f]{4}", "[RUN]");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[MOMENT]");
    settings.add_filter(r"just now|\d+ seconds? ago", "[AGO]");
    settings.add_filter(r"\b\d\.\ds", "[TIME]");
    settings.bind(test);
}

#[test]
fn a_failed_run_is_listed_and_told_with_its_cause() {
    let place = Place::new();
    assert_snapshot!(place.run("runs"), @r"
    exit: 0
    ----- stderr
    no runs yet
    ");
    let store = place.store();
    let (run, attempts) = begin(&store, &["cell-a", "cell-b"]);
    fail(&store, &attempts[0]);
    store.finish_attempt(attempts[1].id, &AttemptEnd::new(Outcome::Stored)).unwrap();
    with_filters(|| {
        assert_snapshot!(place.run("runs ls"), @r"
        exit: 0
        ----- stdout
        RUN                   STARTED   STATE    TIME  CELLS               COMMAND
        [RUN]  [AGO]  running  [TIME]  1 stored, 1 failed  wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
        ");
        store.finish_run(&run, RunOutcome::Failed).unwrap();
        assert_snapshot!(place.run("runs show"), @r#"
        exit: 0
        ----- stdout
        run [RUN]  failed after [TIME]
          started      [MOMENT] ([AGO])
          command      wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
          version      0.1.0

        cell-a  failed
          compile      [TIME]
          peak memory  3.0 GiB
          log          [HERE]/store/logs/[RUN]/cell-a/1.log
        error: cell-a failed in compile: no compiler was found (missing-tool)
            error: command 'g++' failed: No such file \u{1b}[2J or directory
          fix: name one in the recipe: `system-packages = ["c++"]`

        cell-b  stored
          log          [HERE]/store/logs/[RUN]/cell-b/1.log
        "#);
        assert!(place.run("runs -n 1").contains("1 stored, 1 failed"));
        assert_snapshot!(place.run("runs -n 1 show"), @r"
        exit: 2
        ----- stderr
        error: `--limit` before a command limits nothing
          hint: write it behind the command: `wheelmill runs ls -n 5`
        ");
        assert_snapshot!(place.run("runs ls -n 0"), @r"
        exit: 2
        ----- stderr
        error: invalid value '0' for '--limit <N>': `0` is not a number of runs: write 1 or more

        For more information, try '--help'.
        ");
        assert_snapshot!(place.run("runs show 1999"), @r"
        exit: 2
        ----- stderr
        error: no run `1999` is in the history
          hint: see what there is: `wheelmill runs ls`
        ");
        assert_snapshot!(place.run("runs cancel"), @r"
        exit: 2
        ----- stderr
        error: no run goes on
        ");
    });
}

#[test]
fn what_was_not_checked_and_what_happened_is_told() {
    let place = Place::new();
    let store = place.store();
    let (run, attempts) = begin(&store, &["cell-a"]);
    let check = json!({ "code": "disk", "state": "ok", "message": "31 GiB are free", "fix": null });
    store.record(attempts[0].id, "checks", &json!([check])).unwrap();
    let command = json!({ "command": ["sh", "-euc", "\"$@\"\n", "uv build"], "jobs": 2 });
    store.record(attempts[0].id, "command", &command).unwrap();
    let unchecked = json!({ "what": "run on a GPU", "why": "there is none" });
    let verdict =
        json!({ "passed": true, "summary": "sm_90 natively", "not-checked": [unchecked] });
    store.record(attempts[0].id, "verdict", &verdict).unwrap();
    let end = AttemptEnd { compiles: Some(2), ..AttemptEnd::new(Outcome::Built) };
    store.finish_attempt(attempts[0].id, &end).unwrap();
    store.finish_run(&run, RunOutcome::Done).unwrap();
    with_filters(|| {
        assert_snapshot!(place.run("runs show --verbose"), @r#"
        exit: 0
        ----- stdout
        run [RUN]  done after [TIME]
          started      [MOMENT] ([AGO])
          command      wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
          version      0.1.0

        cell-a  built
          build steps  2, as the build counts them
          not checked  run on a GPU (there is none)
          log          [HERE]/store/logs/[RUN]/cell-a/1.log
            checks after [TIME]
              disk: 31 GiB are free
            command after [TIME]
              command: sh -euc '"$@"
                ' 'uv build'
              jobs: 2
            verdict after [TIME]
              passed: true
              summary: sm_90 natively
              not-checked: what run on a GPU, why there is none
        "#);
    });
    let output = place.command("runs show --json").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["run"]["attempts"][0]["not-checked"], json!([unchecked]));
    assert_eq!(document["run"]["cells"]["built"], 1);
}

#[test]
fn a_run_that_is_over_cannot_be_cancelled() {
    let place = Place::new();
    let store = place.store();
    let (run, _) = begin(&store, &["cell-a"]);
    store.finish_run(&run, RunOutcome::Failed).unwrap();
    with_filters(|| {
        assert_snapshot!(place.run("runs cancel last"), @r"
        exit: 2
        ----- stderr
        error: the run `[RUN]` is over already: failed
        ");
    });
}

#[test]
fn what_stopped_a_run_is_told() {
    let place = Place::new();
    let store = place.store();
    let (run, _) = begin(&store, &["cell-a"]);
    store.note_cancelled_by(&run, CancelledBy::RunsCancel).unwrap();
    store.finish_run(&run, RunOutcome::Cancelled).unwrap();
    with_filters(|| {
        assert_snapshot!(place.run("runs show"), @r"
        exit: 0
        ----- stdout
        run [RUN]  cancelled after [TIME]
          started      [MOMENT] ([AGO])
          ended by     `wheelmill runs cancel`
          command      wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
          version      0.1.0

        cell-a  cancelled
          log          [HERE]/store/logs/[RUN]/cell-a/1.log
        ");
    });
    // Its process died before it wrote anything.
    begin(&store, &[]);
    drop(store);
    with_filters(|| {
        assert_snapshot!(place.run("runs show"), @r"
        exit: 0
        ----- stdout
        run [RUN]  interrupted
          started      [MOMENT] ([AGO])
          ended by     the death of its process; the times are those of its last sign of life
          command      wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
          version      0.1.0
        ");
        assert_snapshot!(place.run("runs"), @r"
        exit: 0
        ----- stdout
        RUN                   STARTED   STATE        TIME  CELLS        COMMAND
        [RUN]  [AGO]  interrupted     -               wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
        [RUN]  [AGO]  cancelled    [TIME]  1 cancelled  wheelmill build torchsort==0.1.10 --arch '8.0;9.0'
        ");
    });
}

#[test]
fn logs_are_safe_to_look_at_and_the_failed_one_is_meant() {
    let place = Place::new();
    let store = place.store();
    let (run, attempts) = begin(&store, &["cell-a", "cell-b", "cell-c"]);
    log(&attempts[1], "[1/2] compile\r[2/2] compile\r\n\u{1b}]0;title\u{7}error: é\n");
    fail(&store, &attempts[1]);
    with_filters(|| {
        assert_snapshot!(place.run("runs logs"), @r"
        exit: 0
        ----- stdout
        [1/2] compile
        [2/2] compile
        \u{1b}]0;title\u{7}error: é
        ----- stderr
        [HERE]/store/logs/[RUN]/cell-b/1.log
        ");
        assert_snapshot!(place.run("runs logs --json"), @r#"
        exit: 0
        ----- stdout
        {
          "schema": 1,
          "run": "[RUN]",
          "cell": "cell-b",
          "attempt": 1,
          "outcome": "failed",
          "path": "[HERE]/store/logs/[RUN]/cell-b/1.log",
          "present": true
        }
        "#);
        assert_snapshot!(place.run("runs logs last cell-d"), @r"
        exit: 2
        ----- stderr
        error: the run `[RUN]` has no cell like `cell-d`
          hint: see its cells: `wheelmill runs show [RUN]`
        ");
        assert_snapshot!(place.run("runs logs last cell-a"), @r"
        exit: 2
        ----- stderr
        [HERE]/store/logs/[RUN]/cell-a/1.log
        error: the log `[HERE]/store/logs/[RUN]/cell-a/1.log` is gone
        ");
    });
    store.finish_run(&run, RunOutcome::Failed).unwrap();
}

#[test]
fn of_several_cells_at_work_the_first_is_shown_and_the_others_are_told() {
    let place = Place::new();
    let store = place.store();
    let (run, attempts) = begin(&store, &["cell-a", "cell-b"]);
    log(&attempts[0], "of a\n");
    log(&attempts[1], "of b\n");
    with_filters(|| {
        assert_snapshot!(place.run("runs logs"), @r"
        exit: 0
        ----- stdout
        of a
        ----- stderr
        [HERE]/store/logs/[RUN]/cell-a/1.log
        2 cells are at work; another log: `wheelmill runs logs [RUN] CELL`
        ");
        assert_snapshot!(place.run("runs logs last cell-b"), @r"
        exit: 0
        ----- stdout
        of b
        ----- stderr
        [HERE]/store/logs/[RUN]/cell-b/1.log
        ");
    });
    store.finish_run(&run, RunOutcome::Done).unwrap();
}

#[test]
fn a_log_is_followed_until_its_attempt_ends() {
    let place = Place::new();
    let store = place.store();
    let (run, attempts) = begin(&store, &["cell-a"]);
    log(&attempts[0], "first\n");
    let mut child = place.command("runs logs --follow").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("first"));
    log(&attempts[0], "second\n");
    assert_eq!(lines.next().as_deref(), Some("second"));
    // The last line has no end, and comes right before the end of the attempt.
    log(&attempts[0], "third");
    store.finish_attempt(attempts[0].id, &AttemptEnd::new(Outcome::Built)).unwrap();
    assert_eq!(lines.collect::<Vec<_>>(), ["third"]);
    assert!(child.wait().unwrap().success());
    store.finish_run(&run, RunOutcome::Done).unwrap();
}
