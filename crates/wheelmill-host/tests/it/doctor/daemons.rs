//! Real daemons of the tests' own, with one thing wrong.

use std::fs::Permissions;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use testkit::{Daemon, DaemonProgram, DaemonSetup};
use wheelmill_engine::EngineKind;
use wheelmill_host::doctor::{Facts, TrialWish};
use wheelmill_model::CheckState;
use wheelmill_model::CheckState::{NotApplicable, NotChecked, Ok as Good, Problem, Warning};

use super::fixture::judged;
use super::replies::Place;

fn kind(daemon: &Daemon) -> EngineKind {
    match daemon.program() {
        DaemonProgram::Docker => EngineKind::Docker,
        DaemonProgram::Podman => EngineKind::Podman,
    }
}

/// What is found of a daemon, with containers.
fn facts(daemon: &Daemon, place: &Place) -> Facts {
    let mut settings = place.settings(kind(daemon), &daemon.socket());
    settings.trial = TrialWish::AnyImage;
    if daemon.cdi().exists() {
        settings.cdi = vec![daemon.cdi()];
    }
    Facts::read(&settings)
}

#[track_caller]
fn is(facts: &Facts, code: &str, state: CheckState, part: &str) {
    let (found, said) = judged(facts, code);
    assert_eq!(found, state, "{code}: {said}");
    assert!(said.contains(part), "{part}: {said}");
}

/// Gives a daemon an image whose name promises a shell, and that has one: this machine's.
fn add_image(daemon: &Daemon) {
    const PACK: &str = "mkdir -p \"$0/bin\" && cp -L /bin/sh \"$0/bin/sh\" && \
        for library in $(ldd /bin/sh | grep -o '/[^ ]*'); do \
        mkdir -p \"$0${library%/*}\"; cp -L \"$library\" \"$0$library\"; done && \
        tar -C \"$0\" -cf \"$0.tar\" .";
    let folder = daemon.path().join("image");
    let packed = Command::new("sh").args(["-euc", PACK, folder.as_str()]).status();
    assert!(packed.is_ok_and(|status| status.success()));
    let tar = format!("{folder}.tar");
    let import = ["import", "--change", "ENV PATH=/bin", &tar, "localhost/busybox:1"];
    assert!(!daemon.says(&import).is_empty());
}

#[test]
fn a_daemon_of_its_own_is_good_and_gives_gpus_by_its_runtime() {
    let Some(daemon) = Daemon::start_with_gpus(DaemonProgram::Docker) else { return };
    let place = Place::new();
    let without = facts(&daemon, &place);
    is(&without, "gpu-containers", NotChecked, "no image is there");
    add_image(&daemon);
    let facts = facts(&daemon, &place);
    is(&facts, "engine", Good, "docker");
    is(&facts, "docker", Good, "as root");
    is(&facts, "daemon-settings", Good, "daemon.json");
    is(&facts, "data-root", Good, "data");
    is(&facts, "tcp-socket", Good, "");
    is(&facts, "bridge", NotApplicable, "no bridge");
    is(&facts, "runtime", Good, "nvidia-runtime");
    is(&facts, "gpu-runtime", Good, "/dev/nvidia0");
    is(&facts, "gpu-request", Warning, "no NVIDIA toolkit");
    is(&facts, "gpu-containers", Good, "--runtime=nvidia");
    is(&facts, "volume", NotApplicable, "not there yet");
    assert!(daemon.says(&["ps", "--all", "--quiet"]).is_empty(), "containers are left");
    assert_eq!(daemon.says(&["volume", "create", "build-vol"]), ["build-vol"]);
    is(&self::facts(&daemon, &place), "volume", Good, daemon.path().as_str());
}

#[test]
fn a_runtime_that_is_not_there_is_seen_by_its_path_and_by_trying() {
    let options = [
        &DaemonSetup::default().options[..],
        &["--add-runtime=nvidia=/no/such/runtime".to_owned()],
    ]
    .concat();
    let setup = DaemonSetup { options, ..DaemonSetup::default() };
    let Some(daemon) = Daemon::start_with(DaemonProgram::Docker, setup) else { return };
    add_image(&daemon);
    let facts = facts(&daemon, &Place::new());
    is(&facts, "runtime", Warning, "/no/such/runtime");
    is(&facts, "gpu-runtime", Warning, "/no/such/runtime");
    is(&facts, "gpu-containers", Warning, "containers get no GPUs");
}

#[test]
fn settings_that_changed_under_a_running_daemon_are_found_before_its_next_start() {
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    fs_err::write(daemon.settings(), "{\"data-root\": \"/elsewhere\"}").unwrap();
    let place = Place::new();
    is(&facts(&daemon, &place), "daemon-settings", Problem, "`data-root` is also an option");
    fs_err::write(daemon.settings(), "{\"debug\": true,}").unwrap();
    is(&facts(&daemon, &place), "daemon-settings", Problem, "line 1");
}

#[test]
fn an_open_socket_is_seen() {
    // The number is free again when the daemon asks for it.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("--host=tcp://127.0.0.1:{port}");
    let options = [&DaemonSetup::default().options[..], &[address]].concat();
    let setup = DaemonSetup { options, ..DaemonSetup::default() };
    let Some(daemon) = Daemon::start_with(DaemonProgram::Docker, setup) else { return };
    is(&facts(&daemon, &Place::new()), "tcp-socket", Warning, &format!("127.0.0.1:{port}"));
}

/// Says that something cannot be tested here; where everything must be, that is a failure.
#[expect(clippy::print_stderr, reason = "what is not tested must be said")]
fn not_tested(what: &str) {
    assert!(std::env::var_os("WHEELMILL_CI").is_none(), "{what}");
    eprintln!("NOT TESTED: {what}");
}

/// A small disk of memory, unmounted when dropped.
struct Memory(tempfile::TempDir);

impl Memory {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).expect("its path is text")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[test]
fn a_data_root_in_memory_that_is_nearly_full_is_told() {
    let Some(memory) = Memory::new() else { return not_tested("no disk can be mounted") };
    let mut filler = fs_err::File::create(memory.path().join("filler")).unwrap();
    filler.write_all(&vec![1; 50 << 20]).unwrap();
    // The last one counts.
    let root = format!("--data-root={}", memory.path().join("docker"));
    let options = [&DaemonSetup::default().options[..], &[root]].concat();
    let setup = DaemonSetup { options, ..DaemonSetup::default() };
    let Some(daemon) = Daemon::start_with(DaemonProgram::Docker, setup) else { return };
    let facts = facts(&daemon, &Place::new());
    is(&facts, "data-root", Warning, "is memory");
    is(&facts, "data-root-space", Problem, "free for images");
    drop(daemon);
}

#[test]
fn a_stale_specification_is_found_and_podman_gives_gpus_by_a_good_one() {
    let Some(daemon) = Daemon::start_with_gpus(DaemonProgram::Podman) else { return };
    add_image(&daemon);
    let place = Place::new();
    let good = facts(&daemon, &place);
    is(&good, "podman", Good, "Podman");
    is(&good, "cdi", Good, "nvidia.com/gpu all");
    is(&good, "gpu-cdi", Good, "/dev/nvidia0");
    is(&good, "gpu-containers", Good, "CDI");
    let file = daemon.cdi().join("nvidia.yaml");
    let text = fs_err::read_to_string(&file).unwrap();
    let mounts =
        "  mounts:\n    - hostPath: /no/such/libcuda.so.580.65.06\n      containerPath: /x\n";
    fs_err::write(&file, format!("{text}{mounts}")).unwrap();
    let stale = facts(&daemon, &place);
    is(&stale, "cdi", Warning, "/no/such/libcuda.so.580.65.06");
    is(&stale, "gpu-containers", Warning, "containers get no GPUs");
    // With a driver, its version tells before anything is tried.
    let module = place.path("root/sys/module/nvidia");
    fs_err::create_dir_all(&module).unwrap();
    fs_err::write(module.join("version"), "590.44.01\n").unwrap();
    fs_err::create_dir_all(place.path("bin")).unwrap();
    let tool = place.path("bin/nvidia-smi");
    fs_err::write(&tool, "#!/bin/sh\necho 590.44.01, NVIDIA T4, GPU-1, 7.5\n").unwrap();
    fs_err::set_permissions(&tool, Permissions::from_mode(0o755)).unwrap();
    let other = facts(&daemon, &place);
    is(&other, "cdi", Warning, "of driver 580.65.06, and 590.44.01 is loaded");
    is(&other, "gpus", Good, "NVIDIA T4, sm_75");
}
