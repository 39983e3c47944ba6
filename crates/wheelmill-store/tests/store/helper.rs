//! Another process: this test program, started again to do one thing.
//!
//! It gets its task as words in an environment variable, says what it did on standard error, one
//! line each, and where a task waits it waits for a line on standard input.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};

use camino::Utf8Path;
use nix::unistd::gettid;
use serde_json::json;
use wheelmill_model::Phase;
use wheelmill_store::{AttemptEnd, Outcome, RunOutcome, Store, StoreError};

use crate::fixture::{CELL, good, key, new_cell, new_run};

const TASK: &str = "WHEELMILL_STORE_TEST_TASK";

/// A started helper. Killed when dropped.
pub(crate) struct Helper {
    pub(crate) child: Child,
    lines: BufReader<ChildStderr>,
}

impl Helper {
    pub(crate) fn start(task: &[&str]) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), task)
    }

    /// Starts it through another program, which gets it as its last arguments.
    pub(crate) fn start_through(mut program: Command, task: &[&str]) -> Self {
        program.arg(std::env::current_exe().unwrap());
        Self::spawn(program, task)
    }

    pub(crate) fn spawn(mut program: Command, task: &[&str]) -> Self {
        let mut child = program
            .args(["--exact", "helper::act", "--ignored", "--nocapture", "--test-threads=1"])
            .env(TASK, task.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines }
    }

    /// The next line that it says; empty when it has ended.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Everything that it still says, up to its end.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Lets it go on.
    pub(crate) fn go(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

fn wait() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
#[ignore = "the other process of other tests"]
fn act() {
    // Somebody runs all tests, the ignored ones, too.
    let Ok(task) = std::env::var(TASK) else { return };
    let words: Vec<&str> = task.lines().collect();
    match words[..] {
        ["open", home] => {
            say("ready");
            wait();
            say(describe(Store::open(home.into()).map(drop)));
        }
        ["add", home, file] => {
            let store = Store::open(home.into()).unwrap();
            say("ready");
            wait();
            let added = store.add_wheel(file.into(), &good(key("shared"))).unwrap();
            say(format!("{:?} {}", added.adding, added.wheel.digest));
        }
        ["hold a run", home] => {
            let store = Store::open(home.into()).unwrap();
            let run = store.begin_run(&new_run()).unwrap();
            let attempt = store.begin_attempt(&run, &new_cell(CELL)).unwrap();
            store.begin_phase(attempt.id, Phase::Compile).unwrap();
            say(run);
            wait();
        }
        ["build", home, file] => {
            say(gettid());
            wait();
            build(home.into(), file.into());
        }
        ["fill a disk", disk] => crate::machine::fill_a_disk(disk.into()),
        _ => panic!("not a task: {words:?}"),
    }
}

/// Everything that a run with one cell asks of a store.
fn build(home: &Utf8Path, file: &Utf8Path) {
    let store = Store::open(home).unwrap();
    let run = store.begin_run(&new_run()).unwrap();
    say("run");
    let attempt = store.begin_attempt(&run, &new_cell(CELL)).unwrap();
    store.set_key(attempt.id, &key("built")).unwrap();
    store.begin_phase(attempt.id, Phase::Compile).unwrap();
    say("compile");
    store.record(attempt.id, "progress", &json!({"done": 1})).unwrap();
    say("event");
    store.begin_phase(attempt.id, Phase::Store).unwrap();
    let added = store.add_wheel(file, &good(key("built"))).unwrap();
    say("wheel");
    let end = AttemptEnd { wheel: Some(added.wheel.digest), ..AttemptEnd::new(Outcome::Built) };
    store.finish_attempt(attempt.id, &end).unwrap();
    store.finish_run(&run, RunOutcome::Done).unwrap();
    say("done");
}

pub(crate) fn describe(result: Result<(), StoreError>) -> String {
    match result {
        Ok(()) => "fine".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}
