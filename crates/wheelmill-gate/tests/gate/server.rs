//! The server, with real compilers and build systems.

use std::process::{Command, Stdio};

use camino::Utf8Path;
use wheelmill_gate::protocol::{Language, SOCKET_VARIABLE};
use wheelmill_gate::{
    Behind, GateEvent, Grade, Learned, Outcome, Server, ServerSettings, Snapshot,
};
use wheelmill_model::ByteSize;

use crate::setup::{Serving, Setup, most_at_a_time, records};

const FILES: usize = 12;

/// A folder of small C files with a Makefile, a build.ninja, and a CMakeLists.txt.
fn write_project(folder: &Utf8Path) {
    let names = (0..FILES).map(|index| format!("file{index}"));
    for (index, name) in names.clone().enumerate() {
        let source = format!("int function{index}(int x) {{ return x * {index}; }}\n");
        std::fs::write(folder.join(format!("{name}.c")), source).unwrap();
    }
    let rules = names.clone().map(|name| format!("build {name}.o: cc {name}.c\n"));
    let ninja: String = ["rule cc\n command = gcc -O1 -c $in -o $out\n".to_owned()]
        .into_iter()
        .chain(rules)
        .collect();
    let objects: String = names.clone().map(|name| format!(" {name}.o")).collect();
    let sources: String = names.map(|name| format!(" {name}.c")).collect();
    std::fs::write(folder.join("build.ninja"), ninja).unwrap();
    std::fs::write(folder.join("Makefile"), format!("CC = gcc\nall:{objects}\n")).unwrap();
    let cmake = format!(
        "cmake_minimum_required(VERSION 3.10)\nproject(p C)\nadd_library(p STATIC{sources})\n"
    );
    std::fs::write(folder.join("CMakeLists.txt"), cmake).unwrap();
}

/// A command of a build, behind the gate.
fn behind(setup: &Setup, socket: &Utf8Path, command: &[&str]) -> Command {
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    let program = setup.path.join("gate");
    let folder = setup.path.join("behind");
    let behind = Behind { program: &program, folder: &folder, cuda: None, socket, cache: None };
    let words = behind.command(&command);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).envs(behind.variables()).current_dir(setup.path.join("work"));
    command.stdout(Stdio::null());
    command
}

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("WHEELMILL_CI").is_none(), "{program} is missing");
    if !there {
        eprintln!("not tested: {program} is missing");
    }
    there
}

#[test]
fn build_systems_work_as_they_are() {
    for (needs, script) in [
        ("make", "make -j8"),
        ("ninja", "ninja -j8"),
        ("cmake", "cmake -S . -B build && cmake --build build -j8"),
        (
            "python3",
            "exec python3 -c \"import subprocess, sys; sys.exit(subprocess.call('make -j4', shell=True))\"",
        ),
    ] {
        if !is_there(needs) {
            continue;
        }
        let setup = Setup::new();
        write_project(&setup.path.join("work"));
        let serving = Serving::start(ServerSettings::with_cpus(2), Learned::default());
        let cell = serving.open(&setup);
        let status = behind(&setup, cell.socket(), &["sh", "-euc", script]).status().unwrap();
        assert!(status.success(), "{needs}");
        drop(cell);
        let events = serving.told();
        let records = records(&events);
        let built = |index: usize| {
            let name = format!("/file{index}.c");
            records.iter().any(|record| {
                record.source.ends_with(&name)
                    && record.outcome == Outcome::Success
                    && record.language == Language::C
                    && record.peak_memory > ByteSize(1 << 20)
            })
        };
        assert!((0..FILES).all(built), "{needs}: {records:?}");
        let most = most_at_a_time(&events);
        assert!((1..=2).contains(&most), "{needs}: {most} at a time");
        assert!(events.iter().any(|event| matches!(event, GateEvent::Waiting { .. })), "{needs}");
    }
}

#[test]
fn a_failed_compile_is_the_builds_own_business() {
    let setup = Setup::new();
    std::fs::write(setup.path.join("work/bad.c"), "int f( {\n").unwrap();
    let serving = Serving::start(ServerSettings::with_cpus(2), Learned::default());
    let cell = serving.open(&setup);
    let gated = behind(&setup, cell.socket(), &["gcc", "-c", "bad.c"]).output().unwrap();
    let bare = Command::new("gcc")
        .args(["-c", "bad.c"])
        .current_dir(setup.path.join("work"))
        .output()
        .unwrap();
    assert_eq!((gated.status, gated.stderr), (bare.status, bare.stderr));
    drop(cell);
    let records = records(&serving.told());
    assert_eq!(records.len(), 1, "it is not run again");
    assert_eq!(records[0].outcome, Outcome::Failed { code: 1 });
}

#[test]
fn all_cells_share_the_processors() {
    let setup = Setup::new();
    setup.compiler("gcc", "echo started; read line");
    let serving = Serving::start(ServerSettings::with_cpus(1), Learned::default());
    let first = serving.open_at("first", &setup.path.join("1"));
    // Longer than the address of a socket may be.
    let long = setup.path.join("a".repeat(200));
    std::fs::create_dir(&long).unwrap();
    let second = serving.open_at("second", &long.join("2"));
    let call = |socket: &Utf8Path, source: &str| {
        let mut call = setup.call("gcc", &["-c", source]);
        call.env(SOCKET_VARIABLE, socket).stdin(Stdio::piped()).stdout(Stdio::null());
        call.spawn().unwrap()
    };
    let mut one = call(first.socket(), "one.c");
    assert!(serving.wait_for_start().ends_with("/one.c"));
    let mut two = call(second.socket(), "two.c");
    let waits = serving.wait_for(|event| match event {
        GateEvent::Waiting { cell, source, .. } => Some((cell.clone(), source.clone())),
        _ => None,
    });
    assert_eq!(waits, ("second".to_owned(), setup.path.join("work/two.c").into_string()));
    let Snapshot { cells, threads, .. } = serving.server.snapshot().unwrap();
    assert_eq!(threads, 1);
    assert_eq!((cells[0].running.len(), cells[0].waiting), (1, 0));
    assert_eq!((cells[1].running.len(), cells[1].waiting), (0, 1));
    drop(one.stdin.take());
    assert!(serving.wait_for_start().ends_with("/two.c"));
    drop(two.stdin.take());
    assert_eq!((one.wait().unwrap().code(), two.wait().unwrap().code()), (Some(1), Some(1)));
}

#[test]
fn who_dies_leaves_its_place_at_any_moment() {
    let setup = Setup::new();
    setup.compiler("gcc", "case $2 in stay*) exec sleep 60;; esac; echo done");
    let serving = Serving::start(ServerSettings::with_cpus(1), Learned::default());
    let cell = serving.open(&setup);
    let spawn =
        |source: &str| setup.call("gcc", &["-c", source]).stdout(Stdio::null()).spawn().unwrap();
    let mut running = spawn("stay1.c");
    serving.wait_for_start();
    let mut waiting = spawn("stay2.c");
    serving.wait_for(|event| matches!(event, GateEvent::Waiting { .. }).then_some(()));
    for process in [&mut waiting, &mut running] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    // Killed without looking where they are.
    for _ in 0..50 {
        let mut process = spawn("stay3.c");
        process.kill().unwrap();
        process.wait().unwrap();
    }
    assert_eq!(spawn("last.c").wait().unwrap().code(), Some(0));
    drop(cell);
    let records = records(&serving.told());
    assert!(records.iter().all(|record| match record.source.ends_with("last.c") {
        true => record.outcome == Outcome::Success,
        false => record.outcome == Outcome::Abandoned,
    }));
    assert_eq!(records.iter().filter(|record| record.outcome == Outcome::Success).count(), 1);
}

#[test]
fn nobody_waits_for_a_server_that_ended() {
    let setup = Setup::new();
    setup.compiler("gcc", "case $2 in first.c) read line;; esac");
    let serving = Serving::start(ServerSettings::with_cpus(1), Learned::default());
    let cell = serving.open(&setup);
    let spawn =
        |source: &str| setup.call("gcc", &["-c", source]).stdin(Stdio::piped()).spawn().unwrap();
    let mut first = spawn("first.c");
    serving.wait_for_start();
    let mut second = spawn("second.c");
    serving.wait_for(|event| matches!(event, GateEvent::Waiting { .. }).then_some(()));
    drop((cell, serving));
    assert_eq!(second.wait().unwrap().code(), Some(0));
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(1));
}

#[test]
fn what_was_learned_is_known_to_the_next_build() {
    let setup = Setup::new();
    write_project(&setup.path.join("work"));
    let build = |learned: Learned, sources: Vec<String>| {
        let serving = Serving::start(ServerSettings::with_cpus(2), learned);
        let cell = serving.open_for("cell", &setup.socket(), sources);
        let before = serving.server.snapshot().unwrap().cells.remove(0);
        let make = ["make", "-j8", "-B"];
        assert!(behind(&setup, cell.socket(), &make).status().unwrap().success());
        let after = serving.server.snapshot().unwrap().cells.remove(0);
        drop(cell);
        (before, after, serving.told())
    };
    let (before, after, events) = build(Learned::default(), Vec::new());
    assert_eq!((before.total, after.total, after.done), (None, None, FILES));
    // As the history keeps them.
    let kept = serde_json::to_string(&records(&events)).unwrap();
    let mut learned = Learned::default();
    let records: Vec<wheelmill_gate::CompileRecord> = serde_json::from_str(&kept).unwrap();
    records.iter().for_each(|record| learned.learn(record));
    let sources = records.iter().map(|record| record.source.clone()).collect();
    let (before, after, events) = build(learned, sources);
    assert_eq!((before.total, before.done), (Some(FILES), 0));
    assert!(before.remaining.is_some_and(|remaining| !remaining.is_zero()));
    assert_eq!((after.done, after.remaining), (FILES, Some(std::time::Duration::ZERO)));
    for event in events {
        if let GateEvent::Started { source, estimate, .. } = event {
            let record = records.iter().find(|record| record.source == source).unwrap();
            let peak = record.peak_memory.0;
            assert_eq!(estimate.0, peak + peak / 32, "{:?}", Grade::Exact);
        }
    }
}

#[test]
fn a_socket_that_cannot_be_made_is_named() {
    let setup = Setup::new();
    let server =
        Server::start(ServerSettings::with_cpus(1), Learned::default(), Box::new(|_| {})).unwrap();
    let socket = setup.path.join("missing/socket");
    let settings = wheelmill_gate::CellSettings {
        name: "cell".to_owned(),
        package: "package".to_owned(),
        sources: Vec::new(),
        socket: socket.clone(),
    };
    let error = server.open(settings).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen for compilers at `{socket}`"));
}
