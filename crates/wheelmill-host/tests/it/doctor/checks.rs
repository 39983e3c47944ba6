//! Each check, on facts of a machine that is good but for one thing.

use camino::Utf8PathBuf;
use serde_json::json;
use wheelmill_engine::{EngineKind, Finding, GpuWay, Severity};
use wheelmill_host::apply::Unfinished;
use wheelmill_host::doctor::{DaemonFacts, DaemonState, Facts, GpuTrial, SettingsFile, diagnose};
use wheelmill_host::machine::{DaemonOptions, FileSystem, Route};
use wheelmill_model::CheckState::{NotApplicable, NotChecked, Ok as Good, Problem, Warning};
use wheelmill_model::{ByteSize, CheckState};

use super::fixture::{check, disk, docker, judged, machine, with, with_docker};

/// The state and parts of what is said.
#[track_caller]
fn is(facts: &Facts, code: &str, state: CheckState, parts: &[&str]) {
    let (found, said) = judged(facts, code);
    assert_eq!(found, state, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

fn line(words: &str) -> Option<DaemonOptions> {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    Some(DaemonOptions::read(&words))
}

#[test]
fn a_good_machine_is_ready_and_nothing_is_worth_a_word() {
    let diagnosis = diagnose(&machine());
    assert!(diagnosis.ready);
    assert_eq!(diagnosis.engine, EngineKind::Docker);
    let worth: Vec<_> = diagnosis.checks.iter().filter(|check| check.state <= NotChecked).collect();
    assert!(worth.is_empty(), "{worth:?}");
    // The worst come first, and every code stands for one thing.
    assert!(diagnosis.checks.is_sorted_by_key(|check| check.state));
}

#[test]
fn a_machine_without_docker_is_ready_where_the_own_engine_works() {
    let mut facts = with(|facts| {
        facts.docker = DaemonState::Absent;
        facts.driver = Default::default();
        facts.cdi.clear();
        facts.toolkit = Default::default();
    });
    assert!(diagnose(&facts).ready);
    is(&facts, "engine", Good, &["embedded"]);
    is(&facts, "docker", NotApplicable, &[]);
    is(&facts, "driver", NotApplicable, &["building needs none"]);
    // Who asks for Docker by name, or for images, means it.
    facts.need.images = true;
    is(&facts, "engine", Problem, &["Dockerfiles", "systemctl start docker"]);
    facts.need.images = false;
    facts.need.engine = Some(EngineKind::Docker);
    is(&facts, "docker", Problem, &["does not run"]);
    assert!(!diagnose(&facts).ready);
    // Where the own engine does not work either, nothing does.
    facts.need.engine = None;
    facts.embedded.isolation = None;
    facts.embedded.findings = vec![Finding {
        severity: Severity::Problem,
        message: "the helper cannot be started".to_owned(),
        fix: None,
    }];
    is(&facts, "engine", Problem, &["the helper cannot be started", "start Docker"]);
}

#[test]
fn what_the_own_engine_lacks_counts_only_where_it_is_used() {
    let lacking = |facts: &mut Facts| {
        facts.embedded.findings = vec![Finding {
            severity: Severity::Warning,
            message: "memory is sampled".to_owned(),
            fix: Some("systemd-run".to_owned()),
        }];
    };
    is(&with(lacking), "embedded", NotApplicable, &[]);
    let alone = with(|facts| {
        lacking(facts);
        facts.need.engine = Some(EngineKind::Embedded);
    });
    is(&alone, "embedded", Warning, &["memory is sampled", "systemd-run"]);
}

#[test]
fn a_closed_socket_is_opened_by_the_group_or_by_a_new_login() {
    let denied = |change: fn(&mut Facts)| {
        with(|facts| {
            facts.docker = DaemonState::Denied("/run/docker.sock".into());
            change(facts);
        })
    };
    let outside = denied(|_| {});
    is(&outside, "docker", Warning, &["usermod --append --groups docker ann", "can become root"]);
    let member = denied(|facts| facts.user.groups_at_login = vec!["docker".to_owned()]);
    is(&member, "docker", Warning, &["next login", "newgrp docker"]);
    let wanted = denied(|facts| facts.need.engine = Some(EngineKind::Docker));
    is(&wanted, "docker", Problem, &[]);
}

#[test]
fn a_daemon_that_says_nothing_is_told_with_the_reason() {
    let silent =
        |why: &str| DaemonState::Silent { socket: "/run/docker.sock".into(), why: why.to_owned() };
    let facts = with(|facts| facts.docker = silent("nobody listens there"));
    is(&facts, "docker", Warning, &["nobody listens", "journalctl --unit docker"]);
    is(&facts, "engine", Good, &["embedded"]);
    let far = with(|facts| facts.docker = DaemonState::Elsewhere("DOCKER_HOST".to_owned()));
    is(&far, "docker", Warning, &["DOCKER_HOST", "unset"]);
}

#[test]
fn the_driver_and_its_gpus_are_told_by_name() {
    let facts = machine();
    is(&facts, "driver", Good, &["580.65.06"]);
    is(&facts, "gpus", Good, &["NVIDIA H100, sm_90 (GPU-1f)"]);
    is(&facts, "cuda", Good, &["13.0"]);
    let by_table = with(|facts| facts.driver.cuda = None);
    is(&by_table, "cuda", Good, &["13.0", "table"]);
    let unknown = with(|facts| {
        facts.driver.cuda = None;
        facts.driver.version = Some("300.1".to_owned());
    });
    is(&unknown, "cuda", NotChecked, &["nvidia-smi"]);
    let mismatch = with(|facts| {
        facts.driver.trouble = Some("Driver/library version mismatch".to_owned());
    });
    is(&mismatch, "driver", Warning, &["another version", "reboot"]);
    let none = with(|facts| facts.driver.version = None);
    is(&none, "driver", Warning, &["no driver is loaded"]);
}

#[test]
fn the_toolkit_is_whole_or_its_installation_is_told() {
    is(&machine(), "toolkit", Good, &["1.18.0"]);
    let none = with(|facts| facts.toolkit.programs.clear());
    is(
        &none,
        "toolkit",
        Warning,
        &["not installed", "apt-get install -y nvidia-container-toolkit"],
    );
    let half = with(|facts| {
        facts.toolkit.programs.remove("nvidia-ctk");
        facts.toolkit.programs.remove("nvidia-container-runtime");
    });
    is(&half, "toolkit", Warning, &["nvidia-ctk, nvidia-container-runtime is not found"]);
    let base = with(|facts| drop(facts.toolkit.programs.remove("nvidia-container-runtime-hook")));
    is(&base, "toolkit", Good, &["without nvidia-container-runtime-hook"]);
}

#[test]
fn a_registered_runtime_must_be_there() {
    is(&machine(), "runtime", Good, &["/bin/true"]);
    let broken = |daemon: &mut DaemonFacts| {
        daemon.report.runtimes.get_mut("nvidia").unwrap().path = Some("/no/such/runtime".into());
    };
    is(&with_docker(broken), "runtime", Warning, &["/no/such/runtime"]);
    let fatal = with_docker(|daemon| {
        broken(daemon);
        daemon.report.default_runtime = "nvidia".to_owned();
    });
    is(&fatal, "runtime", Problem, &["no container starts", "default-runtime"]);
    let none = with_docker(|daemon| daemon.report.runtimes.clear());
    is(&none, "runtime", Warning, &["not registered", "wheelmill host apply"]);
    let by_cdi = with_docker(|daemon| {
        daemon.report.runtimes.clear();
        daemon.report.devices = Some(vec!["nvidia.com/gpu=all".to_owned()]);
    });
    is(&by_cdi, "runtime", NotApplicable, &["CDI"]);
}

#[test]
fn a_specification_is_of_the_driver_that_is_loaded() {
    is(&machine(), "cdi", Good, &["all", "580.65.06"]);
    let old = with(|facts| facts.driver.version = Some("590.44.01".to_owned()));
    let fix = "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";
    is(&old, "cdi", Warning, &["stale", "of driver 580.65.06, and 590.44.01 is loaded", fix]);
    let refreshed = with(|facts| {
        facts.cdi[0].path = "/var/run/cdi/nvidia.yaml".into();
        facts.cdi[0].missing = vec!["/usr/lib/libcuda.so.580.65.06".into(), "/x".into()];
    });
    is(&refreshed, "cdi", Warning, &["and 1 more", "systemctl restart nvidia-cdi-refresh"]);
    let before = with(|facts| facts.cdi[0].newer = Some("/usr/lib/libcuda.so.1".into()));
    is(&before, "cdi", Warning, &["written before"]);
    let broken = with(|facts| facts.cdi[0].specification = Err("line 3".to_owned()));
    is(&broken, "cdi", Warning, &["no CDI specification: line 3"]);
    let none = with(|facts| facts.cdi.clear());
    is(&none, "cdi", Warning, &["there is no CDI specification", "cdi generate"]);
}

#[test]
fn a_daemon_must_know_cdi_and_its_version() {
    let off = with_docker(|daemon| daemon.report.cdi_folders = Some(Vec::new()));
    is(&off, "cdi", Warning, &["CDI is off", "`cdi = true`"]);
    let old = with_docker(|daemon| {
        daemon.report.version = "20.10.24".to_owned();
        daemon.report.cdi_folders = None;
    });
    is(&old, "cdi", NotApplicable, &["20.10.24 knows no CDI"]);
    let podman = |version: &str| {
        let mut daemon = docker();
        daemon.report.podman = true;
        daemon.report.version = version.to_owned();
        with(|facts| {
            facts.docker = DaemonState::Absent;
            facts.podman = DaemonState::Answers(Box::new(daemon));
            facts.cdi[0].specification.as_mut().unwrap().cdi_version = "0.7.0".to_owned();
        })
    };
    is(&podman("4.3.1"), "cdi", Warning, &["version 0.7.0", "none above 0.5.0"]);
    is(&podman("5.2.0"), "cdi", Good, &[]);
}

#[test]
fn one_way_to_gpus_is_enough() {
    let fails = || GpuTrial::Fails { why: "it said no".to_owned(), fix: "do this".to_owned() };
    let with_trials = |trials: [GpuTrial; 3]| {
        with_docker(|daemon| daemon.trials = GpuWay::ALL.into_iter().zip(trials).collect())
    };
    let works = || GpuTrial::Works { devices: vec!["/dev/nvidia0".to_owned()] };
    let one = with_trials([GpuTrial::Unknown("too old".to_owned()), works(), fails()]);
    is(&one, "gpu-containers", Good, &["`--runtime=nvidia`"]);
    is(&one, "gpu-cdi", NotApplicable, &["too old"]);
    is(&one, "gpu-request", Warning, &["it said no", "do this"]);
    let mut none = with_trials([fails(), fails(), fails()]);
    is(&none, "gpu-containers", Warning, &["building needs none"]);
    none.need.gpus = true;
    is(&none, "gpu-containers", Problem, &["one of the three is enough"]);
    let untried = || GpuTrial::NotTried { why: "no image".to_owned(), fix: "name one".to_owned() };
    let untried = with_trials([untried(), untried(), untried()]);
    is(&untried, "gpu-containers", NotChecked, &["no image", "name one"]);
    let mut embedded = with(|facts| facts.need.engine = Some(EngineKind::Embedded));
    is(&embedded, "gpu-containers", NotApplicable, &["embedded"]);
    embedded.need.gpus = true;
    is(&embedded, "gpu-containers", Problem, &["builds are to have GPUs", "--engine docker"]);
}

#[test]
fn images_lie_where_they_can() {
    is(&machine(), "data-root", Good, &["ext4"]);
    let on = |change: fn(&mut FileSystem)| {
        let mut system = disk();
        change(&mut system);
        with_docker(|daemon| daemon.data_root = Ok(system))
    };
    is(&on(|disk| disk.kind = "ntfs3".to_owned()), "data-root", Problem, &["Windows"]);
    is(&on(|disk| disk.tells_types = false), "data-root", Problem, &["d_type"]);
    is(&on(|disk| disk.options.push("noexec".to_owned())), "data-root", Problem, &["noexec"]);
    is(&on(|disk| disk.kind = "tmpfs".to_owned()), "data-root", Warning, &["memory"]);
    let late = on(|disk| {
        disk.mounted_at = "/media/ann/disk".into();
        disk.at_start = false;
    });
    is(&late, "data-root", Warning, &["logs in", "RequiresMountsFor=/media/ann/disk"]);
    is(&on(|disk| disk.at_start = false), "data-root", Warning, &["/etc/fstab"]);
    is(
        &on(|disk| disk.free = ByteSize(1 << 30)),
        "data-root-space",
        Problem,
        &["docker system df"],
    );
    is(&on(|disk| disk.free = ByteSize(9 << 30)), "data-root-space", Warning, &["CUDA toolkit"]);
    let closed = with_docker(|daemon| daemon.data_root = Err("denied".to_owned()));
    is(&closed, "data-root", NotChecked, &["denied", "sudo wheelmill doctor"]);
    let second = with_docker(|daemon| {
        let small = FileSystem { free: ByteSize(1 << 30), ..disk() };
        daemon.containerd_root = Some(("/var/lib/containerd".into(), Ok(small)));
    });
    is(&second, "containerd-root", Problem, &["/var/lib/containerd"]);
}

#[test]
fn a_driver_that_copies_or_is_gone_is_named() {
    let by = |driver: &str| with_docker(|daemon| daemon.report.driver = driver.to_owned());
    is(&by("vfs"), "storage-driver", Warning, &["full copy"]);
    is(&by("native"), "storage-driver", Warning, &["full copy"]);
    is(&by("overlay"), "storage-driver", Warning, &["Docker 24 does not start"]);
    is(&by("overlayfs"), "storage-driver", Good, &[]);
}

#[test]
fn networks_of_containers_keep_off_those_of_the_machine() {
    let beside = |to: &str, device: Option<&str>, table: &str| {
        let route = Route {
            to: to.parse().unwrap(),
            device: device.map(str::to_owned),
            table: table.to_owned(),
        };
        with_docker(|daemon| daemon.routes = vec![route])
    };
    let own = beside("172.17.0.0/16", Some("docker0"), "main");
    is(&own, "bridge", Good, &["172.17.0.0/16"]);
    let vpn = beside("172.17.8.0/24", Some("tun0"), "main");
    is(
        &vpn,
        "bridge",
        Warning,
        &["172.17.8.0/24 behind `tun0`", "bridge-address = \"10.201.0.1/24\""],
    );
    let tables = beside("172.20.0.0/16", None, "51820");
    is(&tables, "address-pools", Warning, &["172.20.0.0/14", "table `51820`", "10.201.0.0/16"]);
    // Docker keeps off the network at home by itself.
    let home = beside("192.168.1.0/24", Some("eth0"), "main");
    is(&home, "address-pools", Good, &[]);
    let mut chosen = docker();
    chosen.report.address_pools = vec![("192.168.0.0/16".to_owned(), 24)];
    let DaemonState::Answers(daemon) = home.docker else { panic!("it answers") };
    chosen.routes = daemon.routes;
    let chosen = with(|facts| facts.docker = DaemonState::Answers(Box::new(chosen)));
    is(&chosen, "address-pools", Warning, &["behind `eth0`"]);
}

#[test]
fn settings_that_the_daemon_would_not_start_with_are_problems() {
    let file = || Utf8PathBuf::from("/etc/docker/daemon.json");
    let twice = with_docker(|daemon| {
        daemon.options = line("--data-root /a -H fd://");
        daemon.settings = (file(), SettingsFile::Read(json!({"data-root": "/b"})));
    });
    is(&twice, "daemon-settings", Problem, &["`data-root` is also an option"]);
    let broken = with_docker(|daemon| {
        daemon.settings = (file(), SettingsFile::Broken("line 2, column 1: no".to_owned()));
    });
    is(&broken, "daemon-settings", Problem, &["line 2, column 1", "will not start"]);
    let closed = with_docker(|daemon| {
        daemon.settings = (file(), SettingsFile::Unreadable("permission denied".to_owned()));
    });
    is(&closed, "daemon-settings", NotChecked, &["sudo wheelmill doctor"]);
    let unseen = with_docker(|daemon| daemon.options = None);
    is(&unseen, "daemon-settings", NotChecked, &["command line cannot be seen"]);
    let good = with_docker(|daemon| {
        daemon.settings = (file(), SettingsFile::Read(json!({"debug": true})));
    });
    is(&good, "daemon-settings", Good, &[]);
}

#[test]
fn open_sockets_are_told_whoever_tells_of_them() {
    is(&machine(), "tcp-socket", Good, &[]);
    let by_line = with_docker(|daemon| daemon.options = line("-H unix:// -H tcp://127.0.0.1:2375"));
    is(&by_line, "tcp-socket", Warning, &["127.0.0.1:2375", "web page", "ssh://"]);
    let far = with_docker(|daemon| daemon.options = line("-H tcp://0.0.0.0"));
    is(&far, "tcp-socket", Problem, &["0.0.0.0:2375", "over the network"]);
    let verified = with_docker(|daemon| daemon.options = line("-H tcp://0.0.0.0 --tlsverify"));
    is(&verified, "tcp-socket", Good, &[]);
    let by_file = with_docker(|daemon| {
        daemon.settings.1 = SettingsFile::Read(json!({"hosts": ["tcp://:2375"]}));
    });
    is(&by_file, "tcp-socket", Warning, &["127.0.0.1:2375"]);
    // Of a daemon whose process cannot be seen, what it warns of itself.
    let mut warned = docker();
    warned.options = None;
    let unseen = with(|facts| facts.docker = DaemonState::Answers(Box::new(warned.clone())));
    is(&unseen, "tcp-socket", NotChecked, &[]);
    warned.report.warnings =
        vec!["WARNING: API is accessible on http://10.0.0.7:2375 without encryption.".to_owned()];
    let warned = with(|facts| {
        facts.docker = DaemonState::Answers(Box::new(warned));
        // Who builds without Docker is in the same danger.
        facts.need.engine = Some(EngineKind::Embedded);
    });
    is(&warned, "tcp-socket", Problem, &["10.0.0.7:2375"]);
}

#[test]
fn a_users_own_daemon_needs_identities_lingering_and_control_groups() {
    let rootless = |change: fn(&mut Facts)| {
        let mut facts = with_docker(|daemon| {
            daemon.report.security_options = vec!["name=rootless".to_owned()];
            daemon.report.warnings = vec!["WARNING: No memory limit support".to_owned()];
        });
        change(&mut facts);
        facts
    };
    is(&rootless(|_| {}), "docker", Good, &["rootless"]);
    is(&rootless(|_| {}), "linger", Warning, &["loginctl enable-linger ann"]);
    is(&rootless(|facts| facts.user.lingers = true), "linger", Good, &[]);
    is(&rootless(|_| {}), "limits", Warning, &["delegated", "Delegate="]);
    let few = rootless(|facts| facts.user.subordinate = (65_536, 0));
    is(&few, "identities", Warning, &["0 in /etc/subgid", "--add-subgids"]);
    let none = rootless(|facts| facts.user.has_map_programs = false);
    is(&none, "identities", Warning, &["newuidmap", "uidmap"]);
    is(&with(|facts| facts.user.subordinate = (0, 0)), "identities", NotApplicable, &["as root"]);
    is(&rootless(|facts| facts.user.is_root = true), "identities", NotApplicable, &["root needs"]);
}

#[test]
fn the_rest_of_a_machine_is_told_too() {
    is(&machine(), "volume", Good, &["/var/lib/docker/volumes/build-vol/_data"]);
    let none = with_docker(|daemon| daemon.volumes[0].1 = Ok(None));
    is(&none, "volume", NotApplicable, &["the first build"]);
    let old = "/etc/systemd/system/docker.service.d/override.conf";
    let changed = with(|facts| facts.drop_ins = vec![old.into()]);
    is(&changed, "drop-in", Warning, &["wheelmill host explain", old]);
    is(&machine(), "host-change", Good, &[]);
    let cut = Unfinished { settings: "/etc/docker/daemon.json".into(), began: None };
    let cut = with(|facts| facts.unfinished = Some(cut));
    is(&cut, "host-change", Warning, &["/etc/docker/daemon.json", "wheelmill host undo"]);
    is(&machine(), "slurm", NotApplicable, &[]);
    let slurm = with(|facts| facts.slurm = Some(Ok("slurm 22.05.8".to_owned())));
    is(&slurm, "slurm", Good, &["22.05.8"]);
    let closed = with(|facts| facts.folders[0].is_writable = false);
    is(&closed, "disk", Problem, &["WHEELMILL_CACHE"]);
    let full = with(|facts| {
        facts.folders[0].system = Ok(FileSystem { free: ByteSize(5 << 30), ..disk() });
    });
    is(&full, "disk", Warning, &["wheelmill clean"]);
}

#[test]
fn every_problem_and_warning_says_what_to_do() {
    let bad = with(|facts| {
        facts.docker = DaemonState::Denied("/run/docker.sock".into());
        facts.need.engine = Some(EngineKind::Docker);
        facts.driver.version = None;
        facts.toolkit.programs.clear();
    });
    for found in diagnose(&bad).checks.iter().filter(|check| check.state <= NotChecked) {
        assert!(found.fix.as_ref().is_some_and(|fix| !fix.is_empty()), "{found:?}");
    }
    assert_eq!(check(&bad, "docker").state, Problem);
}
