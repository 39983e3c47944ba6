//! Changes that are killed at every step: the machine is as before or as wanted, and can be taken
//! back and changed again.
//!
//! The test program starts itself once more to be the one that is killed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nix::sys::signal::{Signal, kill, raise};
use testkit::Daemon;

use super::apply::{ALL, Fixture, POOLS, SETTINGS, wish};
use wheelmill_engine::DaemonAdministration;
use wheelmill_host::apply::{HostError, HostSettings, Outcome, unfinished};

/// What the one that is killed is told: what it does, the step that is its last, the socket, the
/// file of settings, and the keys of `[host]`.
const TOLD: [&str; 5] = [
    "WHEELMILL_TEST_WAY",
    "WHEELMILL_TEST_STEP",
    "WHEELMILL_TEST_SOCKET",
    "WHEELMILL_TEST_FILE",
    "WHEELMILL_TEST_KEYS",
];

#[test]
#[ignore = "only what the other tests start"]
fn the_one_that_is_killed() {
    let told: Vec<String> = TOLD.iter().filter_map(|name| std::env::var(name).ok()).collect();
    // Somebody runs all tests, the ignored ones, too.
    let [way, step, socket, file, keys] = &told[..] else { return };
    let mut left: usize = step.parse().unwrap();
    let host = HostSettings {
        daemon: DaemonAdministration::at(socket.as_str().into()),
        settings: Some(file.into()),
    };
    let change = host.begin().unwrap();
    let mut count = |_| {
        if left == 0 {
            raise(Signal::SIGKILL).unwrap();
        }
        left -= 1;
    };
    let done = match way.as_str() {
        "apply" => change.apply(&wish(keys), ALL, &mut count),
        _ => change.undo(ALL, &mut count),
    };
    assert_eq!(done.unwrap(), Outcome::Changed);
}

/// A change that is killed.
pub(crate) struct Killed<'a> {
    pub(crate) daemon: &'a Daemon,
    pub(crate) keys: &'a str,
}

impl Killed<'_> {
    /// Changes the machine and is killed at a step; whether it was, or came to its end before.
    fn apply_at(&self, step: usize) -> bool {
        self.run("apply", step)
    }

    /// The same with the way back.
    pub(crate) fn undo_at(&self, step: usize) -> bool {
        self.run("undo", step)
    }

    fn run(&self, way: &str, step: usize) -> bool {
        let mut command = Command::new(std::env::current_exe().expect("we are a program"));
        command.args(["--exact", "crash::the_one_that_is_killed", "--ignored", "--quiet"]);
        let (socket, file) = (self.daemon.socket(), self.daemon.settings());
        let values =
            [way, &step.to_string(), socket.as_str(), file.as_str(), self.keys].map(str::to_owned);
        let output = command.envs(TOLD.into_iter().zip(values)).output().expect("it runs");
        let killed = output.status.signal() == Some(Signal::SIGKILL as i32);
        assert!(killed || output.status.success(), "{output:?}");
        killed
    }
}

/// What is left beside the daemon's own files.
fn leftovers(daemon: &Daemon) -> Vec<String> {
    let entries = daemon.path().read_dir_utf8().expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_owned());
    names.filter(|name| name.ends_with("wheelmill")).collect()
}

/// Kills a change at each of its steps, and its way back, too. `is_there` tells whether the daemon
/// follows it. Below it lies another change, which stays.
fn kill_everywhere(below: &str, keys: &str, is_there: fn(&Fixture) -> bool) {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    let killed = Killed { daemon: &fixture.daemon, keys };
    fixture.apply(below, ALL).expect("it can be done");
    let before = fixture.settings();
    let wanted = {
        assert!(!killed.apply_at(usize::MAX));
        fixture.settings()
    };
    fixture.undo().expect("it can be taken back");
    let changes = || {
        let host = fixture.host();
        host.begin().expect("nobody else changes it").applied().expect("they are read").len()
    };
    let mut step = 0;
    while killed.apply_at(step) {
        let now = fixture.settings();
        assert!(now == before || now == wanted, "at step {step}: {now}");
        fixture.wait_until_it_answers();
        match changes() {
            // Killed before anything was noted.
            1 => assert_eq!(now, before, "at step {step}"),
            _ => assert_eq!(fixture.undo().expect("it can be taken back"), Outcome::Changed),
        }
        assert_eq!(fixture.settings(), before, "at step {step}");
        assert!(!is_there(&fixture), "at step {step}");
        assert_eq!(changes(), 1, "at step {step}");

        // Without taking it back, the next one completes it.
        killed.apply_at(step);
        assert_eq!(fixture.apply(keys, ALL).expect("it can be done"), Outcome::Changed);
        assert_eq!(fixture.settings(), wanted, "at step {step}");
        assert!(is_there(&fixture), "at step {step}");
        assert_eq!(changes(), 2, "at step {step}");
        if killed.undo_at(step) {
            let now = fixture.settings();
            assert!(now == before || now == wanted, "at step {step} back: {now}");
            fixture.wait_until_it_answers();
            fixture.undo().expect("it can be taken back");
        }
        assert_eq!(fixture.settings(), before, "at step {step}");
        assert!(!is_there(&fixture), "at step {step}");
        assert_eq!(changes(), 1, "at step {step}");
        assert_eq!(leftovers(&fixture.daemon), ["wheelmill"], "at step {step}");
        step += 1;
    }
    assert!(step >= 6, "it has {step} steps");
    // The last one came to its end.
    fixture.undo().expect("it can be taken back");
    assert_eq!(fixture.settings(), before);
    fixture.undo().expect("it can be taken back");
    assert_eq!(fixture.settings(), SETTINGS);
    assert_eq!(leftovers(&fixture.daemon), [""; 0]);
}

/// A program that every machine has stands for the runtime.
const RUNTIME: &str = "nvidia-runtime = \"/bin/true\"";

#[test]
fn a_change_that_is_read_is_killed_at_every_step() {
    kill_everywhere(POOLS, RUNTIME, Fixture::has_runtime);
}

#[test]
fn a_change_with_a_restart_is_killed_at_every_step() {
    kill_everywhere(RUNTIME, POOLS, Fixture::has_pools);
}

#[test]
fn a_way_back_that_was_cut_off_is_told_and_goes_on() {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    fixture.apply(POOLS, ALL).unwrap();
    let restarting = 1;
    assert!(Killed { daemon: &fixture.daemon, keys: "" }.undo_at(restarting));
    assert!(unfinished(&fixture.daemon.socket(), Some(&fixture.daemon.settings())).is_some());
    let plan = fixture.host().plan(&wish(POOLS)).unwrap();
    assert!(plan.remarks[0].message.ends_with("was not finished"), "{:?}", plan.remarks);
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(!fixture.has_pools());
    assert_eq!(unfinished(&fixture.daemon.socket(), Some(&fixture.daemon.settings())), None);
}

/// A daemon that was left down by a change that was killed.
fn left_down() -> Option<Fixture> {
    let mut fixture = Fixture::start(SETTINGS)?;
    // Its files are in place, and it was told to end.
    let restarting = 4;
    assert!(Killed { daemon: &fixture.daemon, keys: POOLS }.apply_at(restarting));
    assert_ne!(fixture.settings(), SETTINGS);
    fixture.daemon.stop();
    Some(fixture)
}

#[test]
fn a_daemon_that_was_left_down_is_started() {
    let Some(fixture) = left_down() else { return };
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(fixture.host().daemon.answers(Duration::from_secs(5)));
}

#[test]
fn a_daemon_that_is_still_about_to_end_is_waited_for() {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    fixture.image();
    // One that ends when it is killed, 10 s after it was told to.
    fixture.run("slow", "runc");
    let restarting = 4;
    assert!(Killed { daemon: &fixture.daemon, keys: POOLS }.apply_at(restarting));
    let old = fixture.daemon.process();
    kill(old, Signal::SIGTERM).unwrap();
    let start = Instant::now();
    while fixture.host().daemon.answers(Duration::from_secs(1)) {
        assert!(start.elapsed() < Duration::from_secs(20), "{}", fixture.daemon.log());
    }
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(!fixture.has_pools());
    assert_ne!(fixture.daemon.process(), old);
    drop(fixture.daemon.says(&["rm", "--force", "slow"]));
}

#[test]
fn a_daemon_that_was_left_down_is_found_by_its_socket() {
    let Some(fixture) = left_down() else { return };
    // Nobody names its settings, which are not where they usually are.
    let host = HostSettings { settings: None, ..fixture.host() };
    assert!(unfinished(&fixture.daemon.socket(), None).is_some());
    let error = host.plan(&wish(POOLS)).unwrap_err();
    let HostError::Unfinished { settings, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*settings, fixture.daemon.settings());
    assert!(error.hints()[0].contains("wheelmill host undo"), "{:?}", error.hints());
    {
        let change = host.begin().unwrap();
        assert!(change.recovered().is_some());
        change.undo(ALL, &mut |_| {}).unwrap();
    }
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(host.plan(&wish(POOLS)).is_ok());
    assert_eq!(unfinished(&fixture.daemon.socket(), None), None);
    assert_eq!(leftovers(&fixture.daemon), [""; 0]);
}

#[test]
fn a_change_that_was_cut_off_is_told_by_the_plan() {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    let noted = 3;
    assert!(Killed { daemon: &fixture.daemon, keys: RUNTIME }.apply_at(noted));
    let plan = fixture.host().plan(&wish(RUNTIME)).unwrap();
    assert!(plan.remarks[0].message.ends_with("was not finished"), "{:?}", plan.remarks);
    // A daemon elsewhere has nothing to do with it.
    let elsewhere = fixture.daemon.path().join("elsewhere.sock");
    let daemon = DaemonAdministration::at(&elsewhere);
    let other = HostSettings { daemon, settings: Some(fixture.daemon.settings()) };
    assert!(matches!(other.begin(), Err(HostError::OtherDaemon { .. })));
    let unknown = HostSettings { settings: None, ..other };
    let made = Utf8Path::new("/etc/docker/wheelmill");
    if !made.exists() {
        assert!(matches!(unknown.begin(), Err(HostError::Machine(_))));
        assert!(!made.exists());
    }
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), SETTINGS);
}
