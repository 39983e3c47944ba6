//! A machine with Docker 29 and a GPU, where everything is good.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use wheelmill_engine::cdi::CdiSpecification;
use wheelmill_engine::{
    DaemonReport, DaemonRuntime, EngineKind, GpuWay, Isolation, NvidiaDriver, NvidiaGpu, Probe,
};
use wheelmill_host::doctor::{
    CdiFile, Check, DaemonFacts, DaemonState, Facts, GpuTrial, Need, SettingsFile, Toolkit, User,
    WorkFolder, diagnose,
};
use wheelmill_host::machine::{DaemonOptions, FileSystem};
use wheelmill_model::{ByteSize, CheckState};

pub(super) fn disk() -> FileSystem {
    FileSystem {
        kind: "ext4".to_owned(),
        mounted_at: "/".into(),
        options: vec!["rw".to_owned()],
        free: ByteSize(100_000_000_000),
        tells_types: true,
        nearest: "/var/lib/docker".into(),
        at_start: true,
    }
}

pub(super) fn docker() -> DaemonFacts {
    DaemonFacts {
        socket: "/run/docker.sock".into(),
        report: DaemonReport {
            version: "29.7.2".to_owned(),
            api_version: "1.53".to_owned(),
            root: "/var/lib/docker".into(),
            driver: "overlay2".to_owned(),
            cdi_folders: Some(vec!["/etc/cdi".into()]),
            bridge: Some("docker0".to_owned()),
            bridge_address: Some("172.17.0.1/16".to_owned()),
            runtimes: BTreeMap::from([(
                "nvidia".to_owned(),
                DaemonRuntime { path: Some("/bin/true".to_owned()), arguments: Vec::new() },
            )]),
            ..DaemonReport::default()
        },
        options: Some(DaemonOptions::default()),
        process: None,
        settings: ("/etc/docker/daemon.json".into(), SettingsFile::Absent),
        refused: None,
        routes: Vec::new(),
        data_root: Ok(disk()),
        containerd_root: None,
        volumes: vec![(
            "build-vol".to_owned(),
            Ok(Some("/var/lib/docker/volumes/build-vol/_data".into())),
        )],
        trials: GpuWay::ALL
            .map(|way| (way, GpuTrial::Works { devices: vec!["/dev/nvidia0".to_owned()] }))
            .to_vec(),
    }
}

pub(super) fn specification() -> CdiSpecification {
    serde_json::from_str(
        r#"{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all"}],
            "containerEdits": {"mounts": [{"hostPath": "/usr/lib/libcuda.so.580.65.06"}]}}"#,
    )
    .expect("it is one")
}

pub(super) fn cdi_file() -> CdiFile {
    CdiFile {
        path: "/etc/cdi/nvidia.yaml".into(),
        specification: Ok(specification()),
        missing: Vec::new(),
        newer: None,
    }
}

pub(super) fn machine() -> Facts {
    let programs = [
        "nvidia-ctk",
        "nvidia-container-runtime",
        "nvidia-container-runtime-hook",
        "nvidia-cdi-hook",
    ];
    Facts {
        need: Need { volumes: vec!["build-vol".to_owned()], ..Need::default() },
        user: User {
            name: "ann".to_owned(),
            subordinate: (65_536, 65_536),
            has_map_programs: true,
            ..User::default()
        },
        docker: DaemonState::Answers(Box::new(docker())),
        podman: DaemonState::Absent,
        embedded: Probe {
            engine: EngineKind::Embedded,
            summary: "as a user, on overlays".to_owned(),
            isolation: Some(Isolation::Overlay),
            findings: Vec::new(),
        },
        driver: NvidiaDriver {
            version: Some("580.65.06".to_owned()),
            cuda: Some("13.0".to_owned()),
            gpus: vec![NvidiaGpu {
                name: "NVIDIA H100".to_owned(),
                uuid: Some("GPU-1f".to_owned()),
                compute_capability: Some("9.0".to_owned()),
            }],
            on_bus: 1,
            trouble: None,
        },
        toolkit: Toolkit {
            programs: programs.map(|name| (name, Utf8PathBuf::from("/usr/bin").join(name))).into(),
            version: Some("1.18.0".to_owned()),
        },
        cdi: vec![cdi_file()],
        drop_ins: Vec::new(),
        unfinished: None,
        release: "ID=debian\n".to_owned(),
        folders: vec![WorkFolder {
            path: "/home/ann/.cache/wheelmill".into(),
            variable: "WHEELMILL_CACHE",
            is_writable: true,
            system: Ok(disk()),
        }],
        slurm: None,
    }
}

/// The machine with something changed.
pub(super) fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = machine();
    change(&mut facts);
    facts
}

/// The machine with its Docker changed.
pub(super) fn with_docker(change: impl FnOnce(&mut DaemonFacts)) -> Facts {
    let mut daemon = docker();
    change(&mut daemon);
    with(|facts| facts.docker = DaemonState::Answers(Box::new(daemon)))
}

/// The worst check of a code.
pub(super) fn check(facts: &Facts, code: &str) -> Check {
    let found = diagnose(facts).checks.into_iter().find(|check| check.code == code);
    found.unwrap_or_else(|| panic!("there is no check `{code}`"))
}

/// The state of a check, and its message with its fix.
pub(super) fn judged(facts: &Facts, code: &str) -> (CheckState, String) {
    let Check { state, message, fix, .. } = check(facts, code);
    (state, format!("{message} -> {}", fix.unwrap_or_default()))
}
