//! Containers that ask for GPUs. What gives them is a fake; what is asked, and what is believed, is
//! not.

use wheelmill_engine::{Base, Cancel, Container, Engine as _, GpuSight, Gpus, Limits, Mount};
use wheelmill_model::ByteSize;

use crate::support::{engine, prepare, run, shell, write_root};
use testkit::{Daemon, DaemonProgram};

/// Prints what of GPUs there is: the device, the variable.
const SEEN: &str = "[ ! -e /dev/nvidia0 ] || echo device; echo $NVIDIA_VISIBLE_DEVICES";

fn base(daemon: &Daemon) -> Base {
    let root = daemon.path().join("root.tar");
    write_root(&root);
    engine(daemon).pin(&Base::Archive { path: root, digest: None }).unwrap()
}

#[test]
fn dockers_runtime_gives_a_gpu_to_who_asks_and_to_nobody_else() {
    let Some(daemon) = Daemon::start_with_gpus(DaemonProgram::Docker) else { return };
    let engine = engine(&daemon);
    let prepared = prepare(&engine, &base(&daemon), Vec::new()).0.unwrap();
    let gpus = Gpus::of("all");
    let sight = engine.look_for_gpus(&prepared, &gpus, &[], &Cancel::new()).unwrap();
    assert_eq!(sight.to_string(), "/dev/nvidia0 by the runtime nvidia");
    let with = Container { gpus: Some(gpus), ..shell(SEEN) };
    assert_eq!(run(&engine, &prepared, &with).stdout, "device\nall\n");
    // An image of NVIDIA's asks for all by itself.
    let environment = vec![("NVIDIA_VISIBLE_DEVICES".to_owned(), "all".to_owned())];
    let without = Container { environment, ..shell(SEEN) };
    assert_eq!(run(&engine, &prepared, &without).stdout, "void\n");
}

#[test]
fn podman_gives_a_gpu_over_its_own_api_and_keeps_to_everything_else() {
    let Some(daemon) = Daemon::start_with_gpus(DaemonProgram::Podman) else { return };
    let engine = engine(&daemon);
    let prepared = prepare(&engine, &base(&daemon), Vec::new()).0.unwrap();
    let gpus = Gpus::of("all");
    let sight = engine.look_for_gpus(&prepared, &gpus, &[], &Cancel::new()).unwrap();
    assert_eq!(sight.to_string(), "/dev/nvidia0 by CDI");

    let (own, other) = (daemon.path().join("own"), daemon.path().join("other"));
    for folder in [&own, &other] {
        std::fs::create_dir(folder).unwrap();
    }
    let mounts = [(&own, "/build/own", true), (&other, "/build/other", false)]
        .map(|(source, target, writable)| Mount {
            source: source.clone(),
            target: target.into(),
            writable,
        })
        .to_vec();
    let script = format!(
        "{SEEN}; pwd; echo \"$X\"; echo made > /build/own/file; \
         echo no > /build/other/new || echo refused; cat /proc/self/status /proc/net/dev; \
         echo to stderr >&2; exit 7"
    );
    let wish = Container {
        environment: vec![("X".to_owned(), "a\nb=c".to_owned())],
        directory: "/usr".into(),
        mounts,
        gpus: Some(gpus.clone()),
        ..shell(&script)
    };
    let ran = run(&engine, &prepared, &wish);
    assert!(ran.stdout.starts_with("device\nvoid\n/usr\na\nb=c\nrefused\n"), "{ran:?}");
    assert!(ran.stdout.contains("NoNewPrivs:\t1") && !ran.stdout.contains("eth0"), "{ran:?}");
    assert!(!ran.stdout.contains("CapBnd:\t0000003fffffffff"), "{ran:?}");
    assert!(ran.stderr.ends_with("to stderr\n") && ran.exit.code == 7, "{ran:?}");
    assert_eq!(std::fs::read_to_string(own.join("file")).unwrap(), "made\n");

    // It goes on for a while after one of its processes was killed, as builds do.
    let hold = "{ head -c 60000000 /dev/zero; sleep 1; } | tail -c 60000000 > /dev/null \
                || { sleep 1; exit 3; }";
    let limits = Limits { memory: Some(ByteSize(30 << 20)), ..Limits::default() };
    let ran = run(&engine, &prepared, &Container { limits, gpus: Some(gpus), ..shell(hold) });
    assert!(ran.exit.oom_kills > 0, "the limit does not hold: {ran:?}");

    assert_eq!(run(&engine, &prepared, &shell(SEEN)).stdout, "void\n");
    assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), [""; 0], "containers are left");
}

#[test]
fn a_daemon_without_gpus_says_so_and_what_to_do() {
    for program in [DaemonProgram::Docker, DaemonProgram::Podman] {
        let Some(daemon) = Daemon::start(program) else { return };
        let engine = engine(&daemon);
        let prepared = prepare(&engine, &base(&daemon), Vec::new()).0.unwrap();
        let gpus = Gpus::of("all");
        let sight = engine.look_for_gpus(&prepared, &gpus, &[], &Cancel::new()).unwrap();
        let GpuSight::Unseen { why, fix } = sight else { panic!("{sight:?}") };
        assert!(fix.contains("Container Toolkit"), "{program:?}: {why}: {fix}");
        assert_eq!(daemon.says(&["ps", "--all", "--quiet"]), [""; 0], "containers are left");
    }
}
