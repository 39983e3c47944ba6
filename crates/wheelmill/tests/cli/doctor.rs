//! `wheelmill doctor`.

use camino::Utf8Path;
use insta::assert_snapshot;
use serde_json::Value;
use testkit::{Daemon, DaemonProgram, RecordedDaemon};

use crate::fixture::Place;

const NOWHERE: &str = "/nonexistent/docker.sock";

/// The ending, and the problems with what to do about them.
fn told(place: &Place, socket: &Utf8Path, arguments: &str) -> String {
    let mut command = place.command(arguments);
    command.env("DOCKER_HOST", format!("unix://{socket}"));
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut shown = format!("exit: {}\n", output.status.code().unwrap());
    let mut of_problem = false;
    for line in stdout.lines() {
        of_problem = line.starts_with("problem") || of_problem && line.starts_with("  ");
        if of_problem {
            shown = format!("{shown}{line}\n");
        }
    }
    shown
}

fn document(place: &Place, socket: &Utf8Path, arguments: &str) -> (Option<i32>, Value) {
    let mut command = place.command(&format!("{arguments} --json"));
    command.env("DOCKER_HOST", format!("unix://{socket}"));
    let output = command.output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn state<'a>(document: &'a Value, code: &str) -> &'a str {
    let mut checks = document["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["code"] == code);
    check.unwrap_or_else(|| panic!("there is no `{code}`: {document}"))["state"].as_str().unwrap()
}

#[test]
fn without_a_daemon_the_own_engine_makes_a_machine_ready() {
    let place = Place::new();
    let text = place.run("doctor");
    assert!(text.starts_with("exit: 0"), "{text}");
    assert!(text.contains("\nok engine: builds run with the embedded engine"), "{text}");
    assert!(text.contains("\nready: builds run with embedded"), "{text}");
    // Who only looks leaves nothing behind.
    assert!(!place.path().join("cache").exists() && !place.path().join("store").exists());
    let quiet = place.run("doctor --quiet");
    let good = ["ok ", "not needed ", "not checked ", "ready"];
    assert!(!quiet.lines().any(|line| good.iter().any(|word| line.starts_with(word))), "{quiet}");
}

#[test]
fn a_daemon_that_is_wanted_and_not_there_is_a_problem() {
    let place = Place::new();
    assert_snapshot!(told(&place, NOWHERE.into(), "doctor --engine docker --quiet"), @r"
    exit: 3
    problem engine: builds are to run with docker, which cannot be used
      fix: do what the check `docker` says
    problem docker: Docker has no socket here: it does not run
      fix: `sudo systemctl start docker`; if that fails: `journalctl --unit docker --lines 30`; or build without a daemon: `--engine embedded`
    ");
    let (code, document) = document(&place, NOWHERE.into(), "doctor --engine docker");
    assert_eq!(code, Some(3));
    assert_eq!((&document["schema"], &document["ready"]), (&1.into(), &false.into()));
    assert_eq!(document["engine"], "docker");
    assert_eq!(state(&document, "docker"), "problem");
    for check in document["checks"].as_array().unwrap() {
        let mut keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "fix", "message", "state"]);
    }
    // The same machine is ready for who does not want one.
    assert_eq!(self::document(&place, NOWHERE.into(), "doctor --engine auto").0, Some(0));
}

#[test]
fn a_daemon_elsewhere_is_told_and_not_asked() {
    let place = Place::new();
    let mut command = place.command("doctor --engine docker --quiet");
    command.env("DOCKER_HOST", "tcp://10.0.0.1:2375");
    let text = place.show(&command.output().unwrap());
    assert!(text.starts_with("exit: 3"), "{text}");
    assert!(text.contains("problem docker: Docker is not on this machine: DOCKER_HOST"), "{text}");
}

#[test]
fn warnings_do_not_make_a_machine_unready() {
    let place = Place::new();
    let daemon = RecordedDaemon::start([
        ("/_ping", "OK".to_owned()),
        ("/version", r#"{"Version": "28.0.0", "ApiVersion": "1.48"}"#.to_owned()),
        (
            "/info",
            r#"{"OperatingSystem": "Docker Desktop", "Driver": "vfs",
                "DockerRootDir": "/var/lib/docker"}"#
                .to_owned(),
        ),
        ("/containers/json", "[]".to_owned()),
        ("/images/json", "[]".to_owned()),
        ("/volumes", r#"{"Volumes": []}"#.to_owned()),
    ]);
    let (code, document) = document(&place, &daemon.socket(), "doctor --engine docker");
    assert_eq!(code, Some(0));
    assert_eq!(document["ready"], true);
    assert_eq!(state(&document, "docker"), "warning");
    assert_eq!(state(&document, "storage-driver"), "warning");
    assert_eq!(state(&document, "data-root"), "not-checked");
    // Whoever must have GPUs has no use for this machine.
    let (code, document) =
        self::document(&place, &daemon.socket(), "doctor --engine docker --gpus all");
    assert_eq!((code, state(&document, "gpu-containers")), (Some(3), "problem"));
}

#[test]
fn settings_that_the_daemon_would_not_start_with_are_found() {
    let place = Place::new();
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let run = || {
        told(&place, &daemon.socket(), "doctor --engine docker")
            .replace(daemon.path().as_str(), "[DAEMON]")
    };
    assert_eq!(run(), "exit: 0\n");
    fs_err::write(daemon.settings(), "{\"data-root\": \"/mnt/x\"}").unwrap();
    assert_snapshot!(run(), @r"
    exit: 3
    problem daemon-settings: `[DAEMON]/daemon.json`: `data-root` is also an option of the daemon's command line (`[DAEMON]/data`), and it starts with only one of them
      fix: take it out of the settings, or out of the service's `ExecStart`
    ");
}
