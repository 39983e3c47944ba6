//! A process that is killed at every moment of a build.
//!
//! Between two system calls a process changes nothing that others see, but for the memory that
//! `SQLite` shares. So one build is traced, and killed before its first system call, before its
//! second, and so on to the last: each time the store must open, hold whole wheels only and
//! everything that it had confirmed, and the build must go through when it is run again.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use wheelmill_model::{Digest, Phase};
use wheelmill_store::{Adding, Outcome, RunOutcome, Store};

use crate::fixture::{Folder, files_below, good, key, skip};
use crate::helper::Helper;

/// A traced helper, stopped before it begins to build.
struct Traced {
    helper: Helper,
    thread: Pid,
}

impl Traced {
    fn start(folder: &Folder, file: &str) -> nix::Result<Self> {
        let mut helper = Helper::start(&["build", folder.home().as_str(), file]);
        let thread = Pid::from_raw(helper.line().parse().unwrap());
        ptrace::seize(thread, ptrace::Options::PTRACE_O_TRACESYSGOOD)?;
        ptrace::interrupt(thread)?;
        let traced = Self { helper, thread };
        traced.wait()?;
        Ok(traced)
    }

    fn wait(&self) -> nix::Result<WaitStatus> {
        waitpid(self.thread, Some(WaitPidFlag::__WALL))
    }

    /// Lets it run to where its next system call begins, or the current one ends; false when it
    /// ended instead.
    fn step(&self) -> nix::Result<bool> {
        loop {
            ptrace::syscall(self.thread, None)?;
            match self.wait()? {
                WaitStatus::PtraceSyscall(_) => return Ok(true),
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(false),
                _ => {}
            }
        }
    }

    /// Kills it before its system call number `moment`, or lets it end. Returns what it said, and
    /// whether it was killed.
    fn kill_at(mut self, moment: usize) -> nix::Result<(Vec<String>, bool)> {
        self.helper.go();
        for _ in 0..moment {
            if !self.step()? || !self.step()? {
                return Ok((self.helper.rest(), false));
            }
        }
        let process = Pid::from_raw(self.helper.child.id().cast_signed());
        if !self.step()? {
            return Ok((self.helper.rest(), false));
        }
        kill(process, Signal::SIGKILL)?;
        let said = self.helper.rest();
        self.wait()?;
        Ok((said, true))
    }
}

/// What must hold after a build was killed that had said `said`.
fn check(folder: &Folder, file: &str, said: &[String], content: &[u8]) {
    let confirmed = |word: &str| said.iter().any(|line| line == word);
    let store = Store::open(&folder.home()).unwrap();
    assert!(files_below(&store.home().join("tmp")).is_empty());
    for (path, content) in files_below(&store.home().join("wheels")) {
        let digest = Digest::of(&content).to_string();
        assert_eq!(path.parent().and_then(|folder| folder.file_name()), Some(&*digest));
    }
    for wheel in store.wheels().unwrap() {
        assert!(wheel.present);
        store.check_wheel(&wheel.digest).unwrap();
    }
    let wheel = store.wheel_for(&key("built")).unwrap();
    assert!(wheel.is_some() || !confirmed("wheel"));

    store.settle_dead_runs().unwrap();
    let runs = store.runs(10).unwrap();
    assert!(runs.len() == 1 || (runs.is_empty() && !confirmed("run")));
    for run in runs {
        let ended = run.outcome.unwrap();
        assert!(ended == RunOutcome::Interrupted || ended == RunOutcome::Done);
        assert!(ended == RunOutcome::Done || !confirmed("done"));
        let detail = store.run(run.id.as_str()).unwrap();
        assert!(detail.attempts.iter().all(|attempt| {
            let built = attempt.outcome == Some(Outcome::Built) && attempt.wheel.is_some();
            built || attempt.outcome == Some(Outcome::Interrupted)
        }));
        let mut phases = detail.attempts.iter().flat_map(|attempt| &attempt.phases);
        assert!(phases.all(|phase| phase.ended_at.is_some()));
        let mut phases = detail.attempts.iter().flat_map(|attempt| &attempt.phases);
        assert!(phases.any(|phase| phase.phase == Phase::Compile) || !confirmed("compile"));
        let mut events = detail.attempts.iter().flat_map(|attempt| &attempt.events);
        assert!(events.any(|event| event.kind == "progress") || !confirmed("event"));
    }

    let again = store.add_wheel(file.into(), &good(key("built"))).unwrap();
    assert_eq!(again.adding, if wheel.is_some() { Adding::Same } else { Adding::New });
    assert_eq!(fs_err::read(&again.wheel.path).unwrap(), content);
}

#[test]
fn a_build_may_be_killed_before_any_of_its_system_calls() {
    let content: Vec<u8> = (0..600_000_u32).map(|index| (index % 251) as u8).collect();
    let mut moment = 0;
    loop {
        let folder = Folder::in_memory();
        let file = folder.wheel(&content);
        let traced = match Traced::start(&folder, file.as_str()) {
            Err(nix::Error::EPERM) => return skip("tracing a process is not allowed"),
            other => other.unwrap(),
        };
        let (said, killed) = traced.kill_at(moment).unwrap();
        check(&folder, file.as_str(), &said, &content);
        if !killed {
            assert_eq!(said.last().map(String::as_str), Some("done"));
            assert!(moment > 100, "only {moment} system calls were seen");
            return;
        }
        moment += 1;
    }
}
