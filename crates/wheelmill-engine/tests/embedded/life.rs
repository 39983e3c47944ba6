//! How containers begin, speak and end.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wheelmill_engine::{
    Cancel, Container, EmbeddedEngine, Engine as _, EngineError, Mount, OutputSink, Stream,
};

use crate::support::{Machine, everywhere, however_isolated, processes_with, settings, shell};

/// Starts processes that try to outlive the container, all with `name` in their command line.
fn clingers(name: &str) -> String {
    format!(
        "setsid sh -c 'sleep 600; : {name}' & \
         sh -c '(setsid nohup sh -c \"trap \\\"\\\" TERM HUP INT; sleep 600; : {name}\" &) &'; "
    )
}

fn unique(name: &str) -> String {
    format!("wheelmill-{name}-{}", std::process::id())
}

#[test]
fn exit_codes_are_the_commands() {
    however_isolated("life::exit_codes_are_the_commands", |machine| {
        assert_eq!(machine.run(&shell("exit 7")).exit.code, 7);
        assert_eq!(machine.run(&shell("kill -9 $$")).exit.code, 137);
        assert_eq!(machine.run(&shell("kill -SEGV $$")).exit.code, 139);
    });
}

#[test]
fn a_command_that_cannot_start_is_an_error_that_says_why() {
    however_isolated("life::a_command_that_cannot_start_is_an_error_that_says_why", |machine| {
        let prepared = machine.prepare(Vec::new()).unwrap();
        let error = |container: &Container| {
            let mut output = |_, _: &[u8]| {};
            let result = machine.engine.run(&prepared, container, &mut output, &Cancel::new());
            match result.unwrap_err() {
                EngineError::Start { step, source } => (step, source.raw_os_error()),
                other => panic!("{other:?}"),
            }
        };
        let missing = Container { command: vec!["no-such".to_owned()], ..shell("") };
        assert_eq!(error(&missing), ("execute `no-such`".to_owned(), Some(libc::ENOENT)));
        let file = Container { command: vec!["/etc/passwd".to_owned()], ..shell("") };
        assert_eq!(error(&file), ("execute `/etc/passwd`".to_owned(), Some(libc::EACCES)));
        let lost = Container { directory: "/no/such".into(), ..shell("true") };
        let step = "enter the directory `/no/such`".to_owned();
        assert_eq!(error(&lost), (step, Some(libc::ENOENT)));
    });
}

#[test]
fn the_environment_is_what_was_given_and_little_more() {
    everywhere("life::the_environment_is_what_was_given_and_little_more", |machine| {
        let given = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = vec![given("TMPDIR", "/var/tmp"), given("X", "a\nb=c")];
        let container = Container {
            environment,
            directory: "/usr".into(),
            command: vec!["env".to_owned()],
            ..Container::default()
        };
        assert_eq!(
            machine.run(&container).text(),
            "TMPDIR=/var/tmp\nX=a\nb=c\nHOME=/root\n\
             PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        );
        assert_eq!(
            machine.says("pwd; umask; cd ~; echo > file; echo > \"$TMPDIR/file\""),
            "/\n0022\n"
        );
    });
}

#[test]
fn output_is_passed_on_while_it_is_written() {
    however_isolated("life::output_is_passed_on_while_it_is_written", |machine| {
        let shared = machine.folder("shared");
        let mounts =
            vec![Mount { source: shared.clone(), target: "/shared".into(), writable: true }];
        let script = "echo first; echo second >&2; while [ ! -e /shared/go ]; do sleep 0.02; done";
        // The command ends only when both lines have come out.
        let mut seen = (String::new(), String::new());
        let mut sink = |stream: Stream, bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            match stream {
                Stream::Stdout => seen.0.push_str(&text),
                Stream::Stderr => seen.1.push_str(&text),
            }
            if seen == ("first\n".to_owned(), "second\n".to_owned()) {
                fs::write(shared.join("go"), "").unwrap();
            }
        };
        let prepared = machine.prepare(Vec::new()).unwrap();
        let container = Container { mounts, ..shell(script) };
        let exit = machine.engine.run(&prepared, &container, &mut sink, &Cancel::new()).unwrap();
        assert!(exit.success());
    });
}

#[test]
fn much_output_on_both_streams_arrives_whole() {
    however_isolated("life::much_output_on_both_streams_arrives_whole", |machine| {
        let script = "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait";
        let mut count = (0, 0);
        let mut sink = |stream: Stream, bytes: &[u8]| match stream {
            Stream::Stdout => count.0 += bytes.len(),
            Stream::Stderr => count.1 += bytes.len(),
        };
        let prepared = machine.prepare(Vec::new()).unwrap();
        let exit =
            machine.engine.run(&prepared, &shell(script), &mut sink, &Cancel::new()).unwrap();
        assert!(exit.success());
        assert_eq!(count, (3_000_000, 3_000_000));
    });
}

#[test]
fn what_a_command_leaves_running_dies_with_it() {
    however_isolated("life::what_a_command_leaves_running_dies_with_it", |machine| {
        let name = unique("leaves");
        let ran = machine.run(&shell(&format!("{} echo started", clingers(&name))));
        assert_eq!(ran.text(), "started\n");
        assert_eq!(processes_with(&name), [0; 0]);
    });
}

/// Raises a flag as soon as the container speaks.
struct CancelOnOutput {
    cancel: Cancel,
    at: Option<Instant>,
}

impl OutputSink for CancelOnOutput {
    fn output(&mut self, _: Stream, _: &[u8]) {
        self.cancel.cancel();
        self.at.get_or_insert_with(Instant::now);
    }
}

#[test]
fn a_cancelled_container_is_gone_within_a_second() {
    however_isolated("life::a_cancelled_container_is_gone_within_a_second", |machine| {
        let name = unique("cancel");
        let script = format!("{} trap '' TERM INT HUP; echo ready; sleep 600", clingers(&name));
        let cancel = Cancel::new();
        let mut sink = CancelOnOutput { cancel: cancel.clone(), at: None };
        let prepared = machine.prepare(Vec::new()).unwrap();
        let exit = machine.engine.run(&prepared, &shell(&script), &mut sink, &cancel).unwrap();
        assert!(sink.at.unwrap().elapsed() < Duration::from_secs(1));
        assert!(exit.cancelled && !exit.success());
        assert_eq!(processes_with(&name), [0; 0]);
    });
}

#[test]
fn a_killed_program_leaves_no_process_and_no_folder() {
    however_isolated("life::a_killed_program_leaves_no_process_and_no_folder", killed_program);
}

/// A program of its own that runs a container, whose processes have `name` in their command lines.
fn program(machine: &Machine, name: &str) -> Child {
    // Other tests have folders, too.
    let shared = machine.folder(name);
    let copy = std::env::current_exe().unwrap().with_file_name("helper");
    let original = env!("CARGO_BIN_EXE_wheelmill-container");
    let child = Command::new(if copy.exists() { copy } else { original.into() })
        .arg(machine.state.as_str())
        .args(machine.isolation.iter().flat_map(|how| ["--isolation", how.as_str()]))
        .args(["--mount", &format!("{shared}:/shared:rw")])
        .args(["sh", "-c", &format!("{} echo > /shared/ready; sleep 600", clingers(name))])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the container runs", || shared.join("ready").exists());
    assert!(processes_with(name).len() > 1);
    child
}

fn killed_program(machine: &Machine) {
    let name = unique("killed");
    let mut child = program(machine, &name);
    child.kill().unwrap();
    child.wait().unwrap();
    until("all processes are gone", || processes_with(&name).is_empty());
    // The next engine finds what it left.
    let scratch = machine.state.join("scratch");
    assert_ne!(fs::read_dir(&scratch).unwrap().count(), 0);
    let next = EmbeddedEngine::new(settings(&machine.state, machine.isolation));
    let prepared = machine.prepare(Vec::new()).unwrap();
    next.run(&prepared, &shell("true"), &mut |_: Stream, _: &[u8]| {}, &Cancel::new()).unwrap();
    drop(next);
    // This process's own engine removes what it used in the background.
    until("the scratch folder is empty", || fs::read_dir(&scratch).unwrap().count() == 0);
}

#[test]
fn a_folder_is_free_when_nothing_of_a_killed_program_can_write_there() {
    however_isolated(
        "life::a_folder_is_free_when_nothing_of_a_killed_program_can_write_there",
        |machine| {
            let name = unique("vacate");
            let mut child = program(machine, &name);
            let next = EmbeddedEngine::new(settings(&machine.state, machine.isolation));
            let folder = machine.state.join(&name).canonicalize_utf8().unwrap();
            // Not while it lives.
            let soon = Cancel::new().until(Instant::now() + Duration::from_millis(200));
            assert!(matches!(next.vacate(&folder, &soon), Err(EngineError::Cancelled)));
            child.kill().unwrap();
            child.wait().unwrap();
            next.vacate(&folder, &Cancel::new()).unwrap();
            assert_eq!(processes_with(&name), [0; 0]);
        },
    );
}

#[test]
fn a_killed_helper_takes_its_container_with_it() {
    everywhere("life::a_killed_helper_takes_its_container_with_it", |machine| {
        let name = unique("helper");
        let mut child = program(machine, &name);
        let parent = format!("PPid:\t{}\n", child.id());
        for helper in processes_with("--wheelmill-container-helper") {
            let status = fs::read_to_string(format!("/proc/{helper}/status")).unwrap_or_default();
            if status.contains(&parent) {
                kill(Pid::from_raw(i32::try_from(helper).unwrap()), Signal::SIGKILL).unwrap();
            }
        }
        // The program says that the container could not be run.
        assert_eq!(child.wait().unwrap().code(), Some(125));
        until("all processes are gone", || processes_with(&name).is_empty());
    });
}

fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn containers_run_side_by_side_in_a_threaded_program() {
    everywhere("life::containers_run_side_by_side_in_a_threaded_program", |machine| {
        let prepared = machine.prepare(Vec::new()).unwrap();
        thread::scope(|scope| {
            for number in 0..8 {
                let prepared = &prepared;
                scope.spawn(move || {
                    let ran = machine.run_in(prepared, &shell(&format!("echo {number}")));
                    assert_eq!(ran.text(), format!("{number}\n"));
                });
            }
        });
    });
}
