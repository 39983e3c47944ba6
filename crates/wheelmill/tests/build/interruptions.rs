//! Builds that are stopped or killed leave nothing running and a history that says so.

use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::place::Place;

const MARKER: &str = "the-build-has-begun";

/// A build that never ends by itself, with a child that tries to outlive it.
fn endless(name: &str) -> Place {
    Place::with(&format!(
        "command = [\"sh\", \"-c\", \"setsid sleep 86399.{name} & echo {MARKER}; wait\"]"
    ))
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Whether any process has this in its command line.
fn runs(text: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    })
}

/// Waits until a process is gone: a kill is asynchronous.
#[track_caller]
pub(crate) fn expect_gone(text: &str) {
    let end = Instant::now() + Duration::from_secs(5);
    while runs(text) {
        assert!(Instant::now() < end, "{text} still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn ctrl_c_stops_everything_and_the_history_says_so() {
    let place = endless("101");
    let mut child = place.start(MARKER);
    assert!(runs("86399.101"));
    kill(pid(&child), Signal::SIGINT).unwrap();
    let asked = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let took = asked.elapsed();
    // The promise is 2 s; a loaded machine is given more before this fails.
    assert!(took < Duration::from_secs(10), "{took:?}");
    expect_gone("86399.101");
    let run = place.run("runs show last --json").expect(0).json();
    assert_eq!(run["run"]["outcome"], "cancelled", "{run}");
    assert_eq!(run["run"]["cancelled-by"], "sigint", "{run}");
}

#[test]
fn a_killed_build_leaves_no_process_and_the_next_one_works() {
    let place = endless("102");
    let mut child = place.start(MARKER);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    expect_gone("86399.102");
    let run = place.run("runs show last --json").expect(0).json();
    assert_eq!(run["run"]["outcome"], "interrupted", "{run}");

    let recipe = place.path().join("wheelmill.toml");
    let text = fs_err::read_to_string(&recipe).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("command")).collect();
    fs_err::write(&recipe, kept.join("\n")).unwrap();
    assert_eq!(place.build("").expect(0).cell()["outcome"], "built");
}

#[test]
fn another_terminal_can_cancel_a_run() {
    let place = endless("103");
    let mut child = place.start(MARKER);
    place.run("runs cancel last").expect(0);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    expect_gone("86399.103");
    let run = place.run("runs show last --json").expect(0).json();
    assert_eq!(run["run"]["cancelled-by"], "runs-cancel", "{run}");
}
