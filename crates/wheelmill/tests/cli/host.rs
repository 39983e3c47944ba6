//! `wheelmill host`, with daemons of the tests' own.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use camino::Utf8Path;
use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testkit::{Daemon, DaemonProgram, RecordedDaemon};

use crate::fixture::Place;

fn command(place: &Place, socket: &Utf8Path, arguments: &str) -> Command {
    let mut command = place.command(arguments);
    command.env("DOCKER_HOST", format!("unix://{socket}"));
    command
}

fn run(place: &Place, socket: &Utf8Path, arguments: &str) -> String {
    place.show(&command(place, socket, arguments).output().unwrap())
}

/// A newer daemon, somewhere else: its process is this test.
fn recorded(info: &str) -> RecordedDaemon {
    RecordedDaemon::start([
        ("/_ping", "OK".to_owned()),
        ("/version", r#"{"Version": "29.7.2", "ApiVersion": "1.53"}"#.to_owned()),
        ("/info", info.to_owned()),
        ("/containers/json", "[]".to_owned()),
        ("/images/json", "[]".to_owned()),
        ("/volumes", r#"{"Volumes": []}"#.to_owned()),
    ])
}

#[test]
fn without_a_wish_or_a_daemon_it_says_what_to_do() {
    let place = Place::new();
    let nowhere = Utf8Path::new("/nonexistent/docker.sock");
    assert_snapshot!(run(&place, nowhere, "host plan"), @r"
    exit: 2
    ----- stderr
    error: no `[host]` section says what this machine should be
      hint: write one into wheelmill.toml: `[host]` and below it `nvidia-runtime = true`; all keys: docs/reference/recipe.md
    ");
    place.write("wheelmill.toml", "[host]\ncdi = true\n");
    assert_snapshot!(run(&place, nowhere, "host plan"), @r"
    exit: 3
    ----- stderr
    error: no Docker daemon answers: the daemon does not answer at `/nonexistent/docker.sock`: Socket not found: /nonexistent/docker.sock
      hint: start Docker (`sudo systemctl start docker`), or see why it does not start: `journalctl --unit docker --lines 30`
      hint: for a daemon that is down with its settings elsewhere: `undo --daemon-json FILE`
    ");
    let daemon = recorded(r#"{"OperatingSystem": "Docker Desktop"}"#);
    assert_snapshot!(run(&place, &daemon.socket(), "host plan"), @r"
    exit: 3
    ----- stdout
    refused: what answers is Docker Desktop, whose daemon lives in a virtual machine (daemon-elsewhere)
      instead: change its settings in its own window, under Docker Engine
    ");
}

#[test]
fn what_is_dangerous_is_refused_with_what_to_do_instead() {
    let place = Place::new();
    let wish = "[host]\nhosts = [\"tcp://127.0.0.1:2375\"]\nstorage-driver = \"overlay\"\n";
    place.write("wheelmill.toml", wish);
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let output = command(&place, &daemon.socket(), "host plan --json").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes: Vec<&Value> = document["plan"]["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refusal| &refusal["code"])
        .collect();
    assert_eq!(codes, ["hosts-tcp", "storage-driver-gone"]);
    let before = fs_err::read(daemon.settings()).unwrap();
    assert_snapshot!(run(&place, &daemon.socket(), "host apply --yes"), @r"
    exit: 2
    ----- stderr
    error: nothing was changed: `tcp://127.0.0.1:2375` without TLS makes every program on this machine root, and every web page that a browser on it shows; the storage driver `overlay` is deprecated, and from Docker 24 on the daemon does not start with it
      hint: use the unix socket; from another machine, `docker context create NAME --docker host=ssh://USER@MACHINE`
      hint: leave `storage-driver` out, or write `overlay2`; another disk needs neither
    ");
    assert_eq!(fs_err::read(daemon.settings()).unwrap(), before);
}

#[test]
fn a_change_is_shown_done_once_and_taken_back() {
    let place = Place::new();
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let settings = "{\n    \"labels\": [\"rack=7\"]\n}\n";
    fs_err::write(daemon.settings(), settings).unwrap();
    place.write(
        "wheelmill.toml",
        "[host]\nnvidia-runtime = \"/bin/true\"\nbuild-volume = \"build-vol\"\n",
    );
    let run = |arguments: &str| {
        run(&place, &daemon.socket(), arguments).replace(daemon.path().as_str(), "[DAEMON]")
    };
    assert_snapshot!(run("host plan"), @r#"
    exit: 0
    ----- stdout
    --- [DAEMON]/daemon.json
    +++ [DAEMON]/daemon.json
    @@ -1,3 +1,8 @@
     {
    -    "labels": ["rack=7"]
    +    "labels": ["rack=7"],
    +    "runtimes": {
    +        "nvidia": {
    +            "path": "/bin/true"
    +        }
    +    }
     }

    KEY                   FROM  TO           NEEDS
    runtimes.nvidia.path  -     "/bin/true"  reload
    makes the volume build-vol
    "#);
    assert_snapshot!(run("host apply"), @r#"
    exit: 2
    ----- stdout
    --- [DAEMON]/daemon.json
    +++ [DAEMON]/daemon.json
    @@ -1,3 +1,8 @@
     {
    -    "labels": ["rack=7"]
    +    "labels": ["rack=7"],
    +    "runtimes": {
    +        "nvidia": {
    +            "path": "/bin/true"
    +        }
    +    }
     }

    KEY                   FROM  TO           NEEDS
    runtimes.nvidia.path  -     "/bin/true"  reload
    makes the volume build-vol
    ----- stderr
    error: nobody is there to be asked whether to change this machine
      hint: say it beforehand: `--yes`
    "#);
    assert_snapshot!(run("host apply --yes"), @r#"
    exit: 0
    ----- stdout
    --- [DAEMON]/daemon.json
    +++ [DAEMON]/daemon.json
    @@ -1,3 +1,8 @@
     {
    -    "labels": ["rack=7"]
    +    "labels": ["rack=7"],
    +    "runtimes": {
    +        "nvidia": {
    +            "path": "/bin/true"
    +        }
    +    }
     }

    KEY                   FROM  TO           NEEDS
    runtimes.nvidia.path  -     "/bin/true"  reload
    makes the volume build-vol
    ----- stderr
    kept `[DAEMON]/daemon.json` as it was
    the daemon calls the settings good
    noted how to take it back
    wrote `[DAEMON]/daemon.json`
    the daemon has read its settings
    the daemon is as wanted
    made the volume `build-vol`
    done; `wheelmill host undo` takes it back
    "#);
    assert_snapshot!(run("host apply --yes"), @r"
    exit: 0
    ----- stderr
    the machine is as `[host]` says; nothing was changed
    ");
    assert_snapshot!(run("host plan"), @r"
    exit: 0
    ----- stderr
    the machine is as `[host]` says
    ");
    // It is shown before anybody is asked.
    let asked = run("host undo");
    assert!(asked.contains("what is taken back: the change of "), "{asked}");
    assert!(asked.contains("(runtimes.nvidia.path)"), "{asked}");
    assert_snapshot!(run("host undo --yes"), @r"
    exit: 0
    ----- stderr
    the files are as they were
    the daemon has read its settings
    done; nothing is left to take back
    ");
    assert_eq!(fs_err::read_to_string(daemon.settings()).unwrap(), settings);
    assert_snapshot!(run("host undo --yes"), @r"
    exit: 2
    ----- stderr
    error: there is no change of wheelmill's to take back, as `[DAEMON]/wheelmill` would tell
    ");
}

#[test]
fn what_the_daemon_does_not_follow_yet_is_told_and_undo_says_what_is_left() {
    let place = Place::new();
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let run = |wish: &str, arguments: &str| {
        place.write("wheelmill.toml", &format!("[host]\n{wish}\n"));
        run(&place, &daemon.socket(), arguments)
    };
    let runtime = "nvidia-runtime = \"/bin/true\"";
    let file = r#"{"runtimes": {"nvidia": {"path": "/bin/true"}}}"#;
    fs_err::write(daemon.settings(), file).unwrap();
    let told = run(runtime, "host plan");
    assert!(told.contains("reload: the daemon does not follow yet"), "{told}");
    let told = run(runtime, "host apply --yes");
    assert!(told.contains("exit: 0") && told.ends_with("done\n"), "{told}");
    run("nvidia-runtime = \"/bin/false\"", "host apply --yes");
    run("nvidia-runtime = false", "host apply --yes");
    let told = run(runtime, "host undo --yes");
    assert!(told.contains("done; 1 earlier change left to take back, the next is"), "{told}");
    assert!(told.contains("(runtimes.nvidia.path)"), "{told}");
    let told = run(runtime, "host undo --yes");
    assert!(told.contains("done; nothing is left to take back"), "{told}");
    assert_eq!(fs_err::read_to_string(daemon.settings()).unwrap(), file);
}

#[test]
fn an_old_drop_in_is_explained() {
    let place = Place::new();
    place.write(
        "override.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H unix:// -s overlay \\\n  \
         --data-root=/mnt/disk --add-runtime=nvidia=/opt/runtime\n",
    );
    assert_snapshot!(place.run("host explain override.conf"), @r#"
    exit: 0
    ----- stdout
    ExecStart= takes the package's own command away, as a new one needs
      today: drop it, so that the package's command holds again
    /usr/bin/dockerd replaces the whole command: what the package has in it is lost, now (`-H fd://`, `$DOCKER_OPTS`) and with every upgrade; in Debian's and Ubuntu's docker.io the program is /usr/sbin/dockerd, and with another path the service does not start
      today: drop it; settings belong into /etc/docker/daemon.json
    -H unix:// opens the unix socket, which the package's own command does with `-H fd://`
      today: drop it
    -s overlay was needed for no disk, and is gone: Docker does not start with it since 24 or 25
      today: drop it; images that were made with it are not seen by another driver
    --data-root=/mnt/disk is still right
      today: write `data-root`
    --add-runtime=nvidia=/opt/runtime is still right; the program comes with `nvidia-container-toolkit` today
      today: write `nvidia-runtime`

    What is worth keeping, for wheelmill.toml:

    [host]
    nvidia-runtime = "/opt/runtime"
    data-root = "/mnt/disk"
    ----- stderr
    then remove `override.conf`, run `systemctl daemon-reload`, and see `wheelmill host plan`
    "#);
    let short =
        place.write("short.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd://\n");
    let short = fs_err::File::open(short).unwrap().into_parts().0;
    let output = place.command("host explain -").stdin(short).output().unwrap();
    let told = place.show(&output);
    assert!(!told.contains("[host]\n"), "{told}");
    assert!(told.contains("nothing of it is for `[host]`: remove the drop-in"), "{told}");
    place.write("other.conf", "[Unit]\nAfter=x.mount\n");
    assert_snapshot!(place.run("host explain other.conf"), @r"
    exit: 2
    ----- stderr
    error: `other.conf` does not replace the command of Docker
      hint: it can stay as it is
    ");
}

#[test]
fn the_words_of_a_daemon_that_failed_are_shown() {
    let place = Place::new();
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    // The driver needs a folder there.
    fs_err::write(daemon.path().join("data/vfs"), "").unwrap();
    place.write("wheelmill.toml", "[host]\nstorage-driver = \"vfs\"\n");
    let arguments = "host apply --yes --hide-images --json";
    let output: Output = command(&place, &daemon.socket(), arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let log = document["error"]["reasons"]["log"].to_string();
    assert!(log.contains("failed to start daemon"), "{document}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("failed to start daemon"), "{told}");
    assert!(told.contains("the daemon runs as before"), "{told}");
    assert!(told.contains("cause: the daemon has ended: failed to start daemon: "), "{told}");
    assert_eq!(fs_err::read_to_string(daemon.settings()).unwrap(), "{}");
}

#[test]
fn a_lost_connection_does_not_end_a_change() {
    let place = Place::new();
    place.write("wheelmill.toml", "[host]\nnvidia-runtime = \"/bin/true\"\n");
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let mut apply = command(&place, &daemon.socket(), "host apply --yes");
    let mut child = apply.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("kept `")));
    let id = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGHUP).unwrap();
    // Nor is there anybody to be told.
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let settings = fs_err::read_to_string(daemon.settings()).unwrap();
    assert!(settings.contains("/bin/true"), "{settings}");
    assert!(!daemon.path().join("daemon.sock.wheelmill").exists());
}

#[test]
fn a_drop_in_with_other_lines_is_not_removed_as_a_whole() {
    let place = Place::new();
    place.write(
        "override.conf",
        "[Service]\nLimitNOFILE=1048576\nExecStart=\nExecStart=/usr/bin/dockerd -H fd://\n",
    );
    let shown = run(&place, Utf8Path::new("/nonexistent"), "host explain override.conf");
    assert!(shown.contains("remove the `ExecStart` lines of `override.conf`"), "{shown}");
}
