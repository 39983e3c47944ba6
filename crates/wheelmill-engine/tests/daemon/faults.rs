//! Daemons that go away, and programs that do.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use wheelmill_engine::{
    Cancel, Container, DaemonEngine, DaemonSettings, EmbeddedEngine, EmbeddedSettings, Engine as _,
    EngineError, EngineKind, Mount, Severity, Stream,
};
use wheelmill_model::NetworkSettings;

use crate::support::{base, engine, prepare, run, shell, step};
use testkit::{Daemon, DaemonProgram, DaemonSetup};

#[test]
fn a_daemon_that_is_not_there_is_named_with_its_socket() {
    let engine = DaemonEngine::new(DaemonSettings {
        kind: EngineKind::Docker,
        sockets: vec!["/no/such/docker.sock".into()],
        images: "/no/such/folder".into(),
        cdi: Vec::new(),
        network: NetworkSettings::default(),
    });
    let probe = engine.probe();
    assert_eq!(probe.findings[0].severity, Severity::Problem);
    assert!(probe.findings[0].message.contains("/no/such/docker.sock"), "{probe:?}");
    assert!(probe.findings[0].fix.as_ref().unwrap().contains("embedded"), "{probe:?}");
}

#[test]
fn a_daemon_that_stops_under_a_build_is_an_error_and_the_next_build_works() {
    let Some(mut daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let first = engine(&daemon);
    let base = base(&first, &daemon);
    let prepared = prepare(&first, &base, Vec::new()).0.unwrap();
    let result = thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (engine, prepared) = (&first, &prepared);
        let building = scope.spawn(move || {
            let mut sink = |_: Stream, _: &[u8]| ready.send(()).unwrap_or_default();
            engine.run(prepared, &shell("echo ready; sleep 600"), &mut sink, &Cancel::new())
        });
        is_ready.recv().unwrap();
        daemon.stop();
        building.join().unwrap()
    });
    match result {
        Err(EngineError::Unable { why, .. }) => assert!(why.contains("does not answer"), "{why}"),
        // The daemon has ended the container before itself, and was asked in between.
        Ok(exit) => assert!(!exit.success(), "{exit:?}"),
        Err(other) => panic!("{other:?}"),
    }
    daemon.start_again();
    let second = engine(&daemon);
    let prepared = prepare(&second, &base, Vec::new()).0.unwrap();
    assert_eq!(run(&second, &prepared, &shell("echo again")).stdout, "again\n");
}

#[test]
fn a_container_that_somebody_kills_or_an_image_that_is_gone_ends_the_build_and_not_the_next() {
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let engine = engine(&daemon);
    let base = base(&engine, &daemon);
    let steps = || vec![step("a step", "mkdir -p /opt/x; echo made > /opt/x/file")];
    let prepared = prepare(&engine, &base, steps()).0.unwrap();
    let mut sink = |_: Stream, _: &[u8]| {
        let running = daemon.says(&["ps", "--quiet"]);
        drop(daemon.says(&["kill", &running[0]]));
    };
    let killed = shell("echo ready; sleep 600");
    let exit = engine.run(&prepared, &killed, &mut sink, &Cancel::new()).unwrap();
    assert_eq!((exit.code, exit.cancelled, exit.oom_kills), (137, false, 0), "{exit:?}");

    let mut sink = |_: Stream, _: &[u8]| {
        let running = daemon.says(&["ps", "--quiet"]);
        drop(daemon.says(&["rm", "--force", &running[0]]));
    };
    let removed = shell("echo ready; sleep 600");
    let error = engine.run(&prepared, &removed, &mut sink, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("somebody else removed it"), "{error}");

    drop(daemon.says(&["rmi", "--force", prepared.layers[0].as_str()]));
    let mut sink = |_: Stream, _: &[u8]| {};
    let error = engine.run(&prepared, &shell("true"), &mut sink, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("No such image"), "{error}");
    // What is in use is not made anew.
    drop(prepared);
    let again = prepare(&engine, &base, steps()).0.unwrap();
    assert_eq!(run(&engine, &again, &shell("cat /opt/x/file")).stdout, "made\n");
}

#[test]
fn a_full_disk_of_the_daemons_is_told_and_gives_its_room_back() {
    let setup = DaemonSetup { disk: Some(200 << 20), ..DaemonSetup::default() };
    let Some(daemon) = Daemon::start_with(DaemonProgram::Docker, setup) else { return };
    let engine = engine(&daemon);
    let base = base(&engine, &daemon);
    prepare(&engine, &base, Vec::new()).0.unwrap();
    // It fits once: as the container's files, and not as the image's beside them.
    let large = step("large", "head -c 110000000 /dev/urandom > /large");
    let error = prepare(&engine, &base, vec![large]).0.unwrap_err();
    assert!(matches!(error, EngineError::DaemonDiskFull { .. }), "{error:?}");
    assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), [""; 0], "containers are left");
    let nameless = daemon.says(&["images", "--quiet", "--filter", "dangling=true"]);
    assert_eq!(nameless, [""; 0], "images without a name are left");
    let small = step("small", "head -c 60000000 /dev/urandom > /small");
    prepare(&engine, &base, vec![small]).0.unwrap();
}

/// What Podman's builder worked in is in none of Docker's lists, and outlives its service.
#[test]
fn what_a_killed_builder_of_podmans_left_is_removed_by_the_next() {
    let Some(daemon) = Daemon::start(DaemonProgram::Podman) else { return };
    let base = base(&engine(&daemon), &daemon);
    let image = prepare(&engine(&daemon), &base, Vec::new()).0.unwrap().layers[0].clone();
    let file = daemon.path().join("Dockerfile");
    let dockerfile = format!(
        "FROM {image}\nLABEL dev.wheelmill.owner=\"{}\"\nLABEL dev.wheelmill.step=x\n\
         RUN echo it-has''-begun; sleep 600\n",
        dead_owner()
    );
    std::fs::write(&file, dockerfile).unwrap();
    let mut builder = daemon.client();
    builder.args(["build", "--layers", "--network", "none", "--file", file.as_str()]);
    let mut builder = builder.arg(daemon.path()).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(builder.stdout.take().unwrap());
    let begun = said.lines().map_while(Result::ok).any(|line| line == "it-has-begun");
    assert!(begun, "the builder ends before its command begins");
    builder.kill().unwrap();
    builder.wait().unwrap();
    let external = || daemon.says(&["ps", "--all", "--external", "--quiet"]);
    let before = external().len();
    assert!(before > 0, "nothing is left to remove");
    assert!(engine(&daemon).probe().isolation.is_some());
    // One stands on the named image, of which nobody knows whether it is still built upon.
    assert!(external().len() <= 1, "{before} were left: {:?}", external());
    let nameless = daemon.says(&["images", "--quiet", "--filter", "dangling=true"]);
    assert_eq!(nameless, [""; 0], "images without a name are left");
}

/// A process that has ended, as containers and images name their owners.
fn dead_owner() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let mut dead = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
    let owner = format!("{}/{} {} 1", boot.trim(), namespace.display(), dead.id());
    dead.wait().unwrap();
    owner
}

/// Whoever calls has the folder's lock, so whatever works there is of a program that is gone, even
/// if its owner seems to live.
#[test]
fn a_folder_is_free_of_containers_before_it_is_used_again() {
    for program in [DaemonProgram::Docker, DaemonProgram::Podman] {
        let Some(daemon) = Daemon::start(program) else { continue };
        let first = engine(&daemon);
        let base = base(&first, &daemon);
        let prepared = prepare(&first, &base, Vec::new()).0.unwrap();
        let (folder, other) = (daemon.path().join("work-0123"), daemon.path().join("work-4567"));
        let (ready, is_ready) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let mut running = Vec::new();
            for place in [&folder, &other] {
                let source = place.join("src");
                std::fs::create_dir_all(&source).unwrap();
                let script = "echo ready; while :; do echo more >> /build/src/file; done";
                let mounts = vec![Mount { source, target: "/build/src".into(), writable: true }];
                let container = Container { mounts, ..shell(script) };
                let (first, prepared, ready) = (&first, &prepared, ready.clone());
                running.push(scope.spawn(move || {
                    let mut sink = |_: Stream, _: &[u8]| ready.send(()).unwrap_or_default();
                    drop(first.run(prepared, &container, &mut sink, &Cancel::new()));
                }));
                is_ready.recv().unwrap();
            }
            engine(&daemon).vacate(&folder, &Cancel::new()).unwrap();
            let written = || std::fs::metadata(folder.join("src/file")).unwrap().len();
            let size = written();
            let running_now = daemon.says(&["ps", "--quiet"]);
            assert_eq!(running_now.len(), 1, "{program:?}: the other one goes on");
            assert_eq!(written(), size, "{program:?}: somebody still writes");
            engine(&daemon).vacate(&other, &Cancel::new()).unwrap();
            assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), [""; 0]);
        });
    }
}

/// Containers outlive a daemon that is killed. No engine uses their folder until the daemon is there
/// again and has ended them.
#[test]
fn what_outlives_a_lost_daemon_keeps_its_folder() {
    let Some(mut daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let first = engine(&daemon);
    let base = base(&first, &daemon);
    let prepared = prepare(&first, &base, Vec::new()).0.unwrap();
    let folder = daemon.path().join("work-89ab");
    let source = folder.join("src");
    std::fs::create_dir_all(&source).unwrap();
    let mounts =
        vec![Mount { source: source.clone(), target: "/build/src".into(), writable: true }];
    let script = "echo ready; while :; do echo more >> /build/src/file; done";
    let container = Container { mounts, ..shell(script) };
    let soon = || Cancel::new().until(Instant::now() + Duration::from_millis(300));
    thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let running = scope.spawn(|| {
            let ready = ready;
            let mut sink = |_: Stream, _: &[u8]| ready.send(()).unwrap_or_default();
            first.run(&prepared, &container, &mut sink, &Cancel::new())
        });
        is_ready.recv().unwrap();
        daemon.kill();
        let ended = running.join().unwrap();
        assert!(ended.is_err() || ended.is_ok_and(|exit| !exit.success()));
    });
    // The machine's other engine is the next that is taken, since this one does not answer.
    let own = EmbeddedEngine::new(EmbeddedSettings {
        program: "/no/such/program".into(),
        layers: daemon.path().join("layers"),
        scratch: daemon.path().join("scratch"),
        hidden: Vec::new(),
        network: NetworkSettings::default(),
        isolation: None,
    });
    assert!(matches!(own.vacate(&folder, &soon()), Err(EngineError::Cancelled)));
    daemon.start_again();
    engine(&daemon).vacate(&folder, &Cancel::new()).unwrap();
    let written = || std::fs::metadata(source.join("file")).unwrap().len();
    let size = written();
    own.vacate(&folder, &Cancel::new()).unwrap();
    assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), [""; 0]);
    assert_eq!(written(), size, "somebody still writes");
}

/// The owner of a container is a process; here one that has ended.
#[test]
fn what_a_killed_program_left_is_removed_by_the_next() {
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let base = base(&engine(&daemon), &daemon);
    let image = prepare(&engine(&daemon), &base, Vec::new()).0.unwrap().layers[0].clone();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let owner = dead_owner();
    let start = |owner: &str| {
        let label = format!("dev.wheelmill.owner={owner}");
        daemon
            .says(&[
                "run",
                "--detach",
                "--network",
                "none",
                "--label",
                &label,
                image.as_str(),
                "sleep",
                "600",
            ])
            .remove(0)
    };
    let left = start(&owner);
    let of_another_container = start(&format!("{}/pid:[7] 1 1", boot.trim()));
    let of_somebody = daemon
        .says(&["run", "--detach", "--network", "none", image.as_str(), "sleep", "600"])
        .remove(0);
    assert!(engine(&daemon).probe().isolation.is_some());
    let begun = Instant::now();
    let mut there = daemon.says(&["ps", "--all", "--quiet", "--no-trunc"]);
    while there.contains(&left) && begun.elapsed() < Duration::from_secs(10) {
        there = daemon.says(&["ps", "--all", "--quiet", "--no-trunc"]);
    }
    assert!(!there.contains(&left), "it is still there");
    assert!(there.contains(&of_another_container) && there.contains(&of_somebody));
    drop(daemon.says(&["rm", "--force", &of_another_container, &of_somebody]));
}
