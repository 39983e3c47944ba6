//! Daemons that no test machine has, by what they said.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use testkit::RecordedDaemon;
use wheelmill_engine::program::Programs;
use wheelmill_engine::{EmbeddedSettings, EngineKind};
use wheelmill_host::doctor::{DoctorSettings, Facts, Need, TrialWish, diagnose};
use wheelmill_model::CheckState;
use wheelmill_model::CheckState::{NotApplicable, NotChecked, Ok as Good, Problem, Warning};
use wheelmill_model::NetworkSettings;

use super::fixture::judged;

/// Where a doctor looks: a root of the test's own, with nothing in it.
pub(super) struct Place(TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.0.path()).expect("its path is text").join(name)
    }

    /// With a Docker at a socket, or a Podman.
    pub(super) fn settings(&self, kind: EngineKind, socket: &Utf8Path) -> DoctorSettings {
        let at = |of| Ok(if of == kind { vec![socket.to_owned()] } else { Vec::new() });
        DoctorSettings {
            need: Need { volumes: vec!["build-vol".to_owned()], ..Need::default() },
            root: self.path("root"),
            programs: Programs { folders: vec![self.path("bin")], limit: Duration::from_secs(60) },
            docker: at(EngineKind::Docker),
            podman: at(EngineKind::Podman),
            patience: Duration::from_secs(60),
            cdi: vec![self.path("cdi")],
            embedded: EmbeddedSettings {
                program: "/no/such/program".into(),
                layers: self.path("cache/layers"),
                scratch: self.path("cache/scratch"),
                isolation: None,
                hidden: Vec::new(),
                network: NetworkSettings::default(),
            },
            folders: Vec::new(),
            trial: TrialWish::Never,
        }
    }
}

/// What is found of a daemon that says so of itself.
fn facts(kind: EngineKind, version: &str, info: &str) -> Facts {
    let daemon = RecordedDaemon::start([
        ("/_ping", "OK".to_owned()),
        ("/version", version.to_owned()),
        ("/info", info.to_owned()),
        ("/containers/json", "[]".to_owned()),
        ("/images/json", "[]".to_owned()),
        ("/volumes", r#"{"Volumes": []}"#.to_owned()),
        (
            "/volumes/build-vol",
            r#"{"Name": "build-vol", "Driver": "local", "Labels": {},
            "Options": {}, "Scope": "local", "Mountpoint": "/data/volumes/build-vol/_data"}"#
                .to_owned(),
        ),
    ]);
    Facts::read(&Place::new().settings(kind, &daemon.socket()))
}

#[track_caller]
fn is(facts: &Facts, code: &str, state: CheckState, part: &str) {
    let (found, said) = judged(facts, code);
    assert_eq!(found, state, "{said}");
    assert!(said.contains(part), "{part}: {said}");
}

#[test]
fn docker_20_10_has_a_runtime_and_no_cdi() {
    let facts = facts(
        EngineKind::Docker,
        r#"{"Version": "20.10.24+dfsg1", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}"#,
        r#"{"ServerVersion": "20.10.24+dfsg1", "Driver": "vfs", "DockerRootDir": "/var/lib/docker",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "DefaultRuntime": "runc",
            "Runtimes": {"runc": {"path": "runc"}, "nvidia": {"path": "/opt/nvidia-runtime"}},
            "SecurityOptions": ["name=seccomp,profile=default"],
            "Warnings": ["WARNING: API is accessible on http://127.0.0.1:2375 without encryption.\n         Access to the remote API is equivalent to root access on the host."]}"#,
    );
    is(&facts, "docker", Good, "Docker 20.10.24+dfsg1 (API 1.41, as root)");
    is(&facts, "cdi", NotApplicable, "knows no CDI");
    is(&facts, "gpu-cdi", NotApplicable, "25 is the first");
    is(&facts, "gpu-runtime", NotChecked, "no container was to be made");
    is(&facts, "runtime", Warning, "/opt/nvidia-runtime");
    is(&facts, "storage-driver", Warning, "full copy");
    is(&facts, "tcp-socket", Warning, "127.0.0.1:2375");
    is(&facts, "volume", Good, "/data/volumes/build-vol/_data");
    // Its process is this test, not a `dockerd`.
    is(&facts, "daemon-settings", NotChecked, "");
}

#[test]
fn docker_25_has_cdi_only_when_it_is_told_to() {
    let info = |folders: &str| {
        format!(
            r#"{{"ServerVersion": "25.0.5", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker",
                "Runtimes": {{"runc": {{"path": "runc"}}, "nvidia": {{"path": "/bin/true"}}}},
                "CDISpecDirs": {folders}}}"#
        )
    };
    let version = r#"{"Version": "25.0.5", "ApiVersion": "1.44"}"#;
    let off = facts(EngineKind::Docker, version, &info("[]"));
    is(&off, "cdi", NotApplicable, "CDI is off in Docker 25.0.5");
    let on = facts(EngineKind::Docker, version, &info(r#"["/etc/cdi"]"#));
    is(&on, "gpu-cdi", NotChecked, "");
    is(&on, "runtime", Good, "/bin/true");
}

#[test]
fn docker_28_finds_its_devices_itself() {
    let facts = facts(
        EngineKind::Docker,
        r#"{"Version": "28.3.3", "ApiVersion": "1.51"}"#,
        r#"{"ServerVersion": "28.3.3", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker",
            "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
            "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}"#,
    );
    is(&facts, "cdi", Good, "the daemon has found nvidia.com/gpu");
}

#[test]
fn docker_29_keeps_images_in_a_second_root() {
    let facts = facts(
        EngineKind::Docker,
        r#"{"Version": "29.7.2", "ApiVersion": "1.53"}"#,
        r#"{"ServerVersion": "29.7.2", "Driver": "overlayfs", "DockerRootDir": "/var/lib/docker",
            "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
            "Containerd": {"Address": "/run/containerd/containerd.sock"},
            "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"], "DiscoveredDevices": []}"#,
    );
    is(&facts, "storage-driver", Good, "overlayfs");
    let (_, said) = judged(&facts, "containerd-root");
    assert!(said.contains("/var/lib/containerd"), "{said}");
}

#[test]
fn rootless_desktop_and_snap_are_told_apart() {
    let of = |info: &str| {
        facts(EngineKind::Docker, r#"{"Version": "28.0.0", "ApiVersion": "1.48"}"#, info)
    };
    let rootless = of(r#"{"Driver": "overlay2", "DockerRootDir": "/home/ann/.local/share/docker",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]}"#);
    is(&rootless, "docker", Good, "rootless");
    let desktop = of(r#"{"Driver": "overlayfs", "DockerRootDir": "/var/lib/docker",
        "OperatingSystem": "Docker Desktop"}"#);
    is(&desktop, "docker", Warning, "virtual machine");
    is(&desktop, "data-root", NotChecked, "virtual machine");
    is(&desktop, "daemon-settings", NotApplicable, "own program");
    let snap =
        of(r#"{"Driver": "overlay2", "DockerRootDir": "/var/snap/docker/common/var-lib-docker"}"#);
    is(&snap, "docker", Warning, "snap remove docker");
}

#[test]
fn podman_has_cdi_alone() {
    let version = |number: &str| {
        format!(
            r#"{{"Version": "{number}", "ApiVersion": "1.41",
                "Components": [{{"Name": "Podman Engine", "Version": "{number}"}}]}}"#
        )
    };
    let info = r#"{"Driver": "overlay", "DockerRootDir": "/var/lib/containers/storage",
        "Runtimes": {"crun": {"path": "/usr/bin/crun"}, "nvidia": {"path": "/usr/bin/nvidia"}}}"#;
    for number in ["4.3.1", "5.2.2"] {
        let facts = facts(EngineKind::Podman, &version(number), info);
        is(&facts, "engine", Good, "podman");
        is(&facts, "podman", Good, &format!("Podman {number}"));
        is(&facts, "gpu-request", NotApplicable, "ignores it");
        is(&facts, "gpu-runtime", NotApplicable, "ignores it");
        is(&facts, "runtime", NotApplicable, "CDI alone");
        // The storage of Podman is called as a driver that Docker has no more.
        is(&facts, "storage-driver", Good, "overlay");
    }
    // Behind Docker's socket it is not Docker.
    let behind = facts(EngineKind::Docker, &version("4.3.1"), info);
    is(&behind, "docker", Warning, "is Podman 4.3.1");
    assert_eq!(behind.engine(), EngineKind::Embedded);
}

#[test]
fn a_look_at_a_machine_leaves_nothing_behind() {
    let place = Place::new();
    let facts = Facts::read(&place.settings(EngineKind::Docker, "/no/such/socket".into()));
    assert!(!place.path("cache").exists());
    // Nothing runs builds here: the engine without a daemon has no program.
    is(&facts, "engine", Problem, "");
    assert!(!diagnose(&facts).ready);
}
