//! Changes that are killed at every step: the machine is as before or as wanted, and can be taken
//! back and changed again.
//!
//! The test program starts itself once more to be the one that is killed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use testkit::Daemon;

use super::apply::{ALL, Fixture, POOLS, SETTINGS, wish};
use wheelmill_engine::DaemonAdministration;
use wheelmill_host::apply::{HostError, HostSettings, Outcome};

/// What the one that is killed is told: the step that is its last, the socket, the file of
/// settings, and the keys of `[host]`.
const TOLD: [&str; 4] =
    ["WHEELMILL_TEST_STEP", "WHEELMILL_TEST_SOCKET", "WHEELMILL_TEST_FILE", "WHEELMILL_TEST_KEYS"];

#[test]
#[ignore = "only what the other tests start"]
fn the_one_that_is_killed() {
    let told: Vec<String> = TOLD.iter().filter_map(|name| std::env::var(name).ok()).collect();
    // Somebody runs all tests, the ignored ones, too.
    let [step, socket, file, keys] = &told[..] else { return };
    let mut left: usize = step.parse().unwrap();
    let host = HostSettings {
        daemon: DaemonAdministration::at(socket.as_str().into()),
        settings: Some(file.into()),
    };
    let change = host.begin().unwrap();
    let applied = change.apply(&wish(keys), ALL, &mut |_| {
        if left == 0 {
            raise(Signal::SIGKILL).unwrap();
        }
        left -= 1;
    });
    assert_eq!(applied.unwrap(), Outcome::Changed);
}

/// Changes the machine and is killed at a step; whether it was, or came to its end before.
fn killed_at(step: usize, daemon: &Daemon, keys: &str) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("we are a program"));
    command.args(["--exact", "crash::the_one_that_is_killed", "--ignored", "--quiet"]);
    let (socket, file) = (daemon.socket().into_string(), daemon.settings().into_string());
    let values = [step.to_string(), socket, file, keys.to_owned()];
    let output = command.envs(TOLD.into_iter().zip(values)).output().expect("it runs");
    let killed = output.status.signal() == Some(Signal::SIGKILL as i32);
    assert!(killed || output.status.success(), "{output:?}");
    killed
}

/// Kills a change at each of its steps. `is_there` tells whether the daemon follows it.
fn kill_everywhere(keys: &str, is_there: fn(&Fixture) -> bool) {
    let Some(fixture) = Fixture::start(SETTINGS) else { return };
    let wanted = {
        assert!(!killed_at(usize::MAX, &fixture.daemon, keys));
        fixture.settings()
    };
    fixture.undo().expect("it can be taken back");
    let mut step = 0;
    while killed_at(step, &fixture.daemon, keys) {
        let now = fixture.settings();
        assert!(now == SETTINGS || now == wanted, "at step {step}: {now}");
        fixture.wait_until_it_answers();
        match fixture.undo() {
            Ok(_) => {}
            // Killed before anything was changed.
            Err(HostError::NothingToUndo { .. }) => assert_eq!(now, SETTINGS, "at step {step}"),
            Err(error) => panic!("at step {step}: {error:?}"),
        }
        assert_eq!(fixture.settings(), SETTINGS, "at step {step}");
        assert!(!is_there(&fixture), "at step {step}");

        // Without taking it back, the next one completes it.
        killed_at(step, &fixture.daemon, keys);
        assert_eq!(fixture.apply(keys, ALL).expect("it can be done"), Outcome::Changed);
        assert_eq!(fixture.settings(), wanted, "at step {step}");
        assert!(is_there(&fixture), "at step {step}");
        fixture.undo().expect("it can be taken back");
        assert_eq!(fixture.settings(), SETTINGS, "at step {step}");
        let left: Vec<String> = fixture
            .daemon
            .path()
            .read_dir_utf8()
            .expect("a folder")
            .flatten()
            .map(|entry| entry.file_name().to_owned())
            .filter(|name| name.ends_with(".wheelmill"))
            .collect();
        assert_eq!(left, [""; 0], "at step {step}");
        step += 1;
    }
    assert!(step >= 6, "it has {step} steps");
}

#[test]
fn a_change_that_is_read_is_killed_at_every_step() {
    // A program that every machine has stands for the runtime.
    kill_everywhere("nvidia-runtime = \"/bin/true\"", Fixture::has_runtime);
}

#[test]
fn a_change_with_a_restart_is_killed_at_every_step() {
    kill_everywhere(POOLS, Fixture::has_pools);
}

#[test]
fn a_daemon_that_was_left_down_is_started() {
    let Some(mut fixture) = Fixture::start(SETTINGS) else { return };
    // Its files are in place, and it was told to end.
    let replaced = 3;
    assert!(killed_at(replaced, &fixture.daemon, POOLS));
    assert_ne!(fixture.settings(), SETTINGS);
    fixture.daemon.stop();
    fixture.undo().unwrap();
    assert_eq!(fixture.settings(), SETTINGS);
    assert!(fixture.host().daemon.answers(Duration::from_secs(5)));
}
