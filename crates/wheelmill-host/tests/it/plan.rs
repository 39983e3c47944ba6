//! What plans say of wishes.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use tempfile::TempDir;
use wheelmill_engine::{DaemonReport, DaemonRuntime, RunningContainer};
use wheelmill_host::machine::{
    BridgeKeeper, DaemonOptions, DaemonProcess, FileSystem, Machine, Route,
};
use wheelmill_host::plan::{Action, HostPlan, plan};
use wheelmill_host::service::ServiceKind;
use wheelmill_model::ByteSize;
use wheelmill_recipe::{HostSection, Project};

/// A machine with systemd and Docker 29, in a folder.
pub(crate) struct Fixture {
    pub(crate) machine: Machine,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("its path is text").to_owned();
        fs_err::write(root.join("daemon.json"), settings).expect("a file of settings");
        let runtime = root.join("nvidia-container-runtime");
        fs_err::write(&runtime, "#!/bin/sh\n").expect("a runtime");
        fs_err::set_permissions(&runtime, std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        let process = DaemonProcess {
            id: 1,
            program: "/usr/bin/dockerd".into(),
            arguments: Vec::new(),
            folder: "/".into(),
            environment: vec![("PATH".to_owned(), root.to_string())],
            log: None,
        };
        let machine = Machine {
            report: DaemonReport {
                version: "29.7.2".to_owned(),
                root: "/var/lib/docker".into(),
                driver: "overlayfs".to_owned(),
                cdi_folders: Some(vec!["/etc/cdi".into()]),
                running: vec![RunningContainer { name: "web".into(), image: "site:1".into() }],
                images: vec!["site:1".to_owned(), "base:2".to_owned()],
                volumes: vec!["data".to_owned()],
                bridge: Some("docker0".to_owned()),
                bridge_address: Some("172.17.0.1/16".to_owned()),
                ..DaemonReport::default()
            },
            process: Some(process),
            options: DaemonOptions::default(),
            settings: root.join("daemon.json"),
            service: ServiceKind::Systemd { unit: "docker.service".into(), user: false },
            routes: Vec::new(),
            bridge_keeper: None,
            data_root: None,
            present_root: None,
            release: "ID=debian\n".to_owned(),
            root,
        };
        Self { machine, folder }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).expect("its path is text").join(name)
    }

    /// The plan for the keys of `[host]`; `{root}` is the folder.
    pub(crate) fn plan(&self, keys: &str) -> HostPlan {
        plan(&self.machine, &self.wish(keys)).expect("a plan can be made")
    }

    fn wish(&self, keys: &str) -> HostSection {
        let keys = keys.replace("{root}", self.path("").as_str().trim_end_matches('/'));
        let text = format!("[host]\n{keys}\n");
        Project::parse(&text, "wheelmill.toml".into()).expect("it is a project file").host
    }

    /// The codes of what is refused.
    fn refusals(&self, keys: &str) -> Vec<&'static str> {
        self.plan(keys).refusals.into_iter().map(|refusal| refusal.code).collect()
    }

    fn options(&mut self, line: &str) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        self.machine.options = DaemonOptions::read(&words);
    }

    fn route(&mut self, to: &str, device: Option<&str>) {
        self.machine.routes.push(Route {
            to: to.parse().expect("a network"),
            device: device.map(str::to_owned),
            table: if device.is_some() { "main" } else { "51820" }.to_owned(),
        });
    }

    fn disk(&mut self, kind: &str) -> &mut FileSystem {
        self.machine.data_root.insert(FileSystem {
            kind: kind.to_owned(),
            mounted_at: "/mnt/disk".into(),
            options: vec!["rw".to_owned()],
            free: ByteSize(100_000_000_000),
            tells_types: true,
            nearest: "/mnt/disk".into(),
            at_start: true,
        })
    }
}

const RUNTIME: &str = "nvidia-runtime = \"{root}/nvidia-container-runtime\"";

#[test]
fn a_runtime_is_registered_by_a_reload_and_stops_nothing() {
    let fixture = Fixture::new("{\n  \"debug\": true\n}\n");
    let plan = fixture.plan(RUNTIME);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert_eq!(plan.action, Action::Reload);
    assert!(plan.stops.is_empty() && plan.hides_images.is_empty() && !plan.units);
    assert_eq!(plan.keys[0].key, "runtimes.nvidia.path");
    let file = fixture.path("daemon.json");
    let runtime = fixture.path("nvidia-container-runtime");
    assert_eq!(
        plan.files[0].diff(),
        format!(
            "--- {file}\n+++ {file}\n@@ -1,3 +1,8 @@\n {{\n-  \"debug\": true\n+  \"debug\": true,\n\
             +  \"runtimes\": {{\n+    \"nvidia\": {{\n+      \"path\": \"{runtime}\"\n+    }}\n+  }}\n }}\n"
        )
    );
}

#[test]
fn what_is_so_already_needs_nothing() {
    let mut fixture = Fixture::new("{}");
    let runtime = fixture.path("nvidia-container-runtime");
    let settings = json!({"runtimes": {"nvidia": {"path": runtime, "runtimeArgs": ["-d"]}}});
    fs_err::write(fixture.path("daemon.json"), settings.to_string()).unwrap();
    // The daemon has not read it yet.
    assert_eq!(fixture.plan(RUNTIME).action, Action::Reload);
    assert!(fixture.plan(RUNTIME).files.is_empty());
    let registered = DaemonRuntime { path: Some(runtime.to_string()), arguments: Vec::new() };
    fixture.machine.report.runtimes.insert("nvidia".to_owned(), registered);
    assert!(fixture.plan(RUNTIME).is_nothing());
}

#[test]
fn another_disk_hides_images_and_makes_the_service_wait_for_it() {
    let mut fixture = Fixture::new("{}");
    fixture.disk("ext4");
    let plan = fixture.plan("data-root = \"/mnt/disk/docker\"\nbuild-volume = \"data\"");
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert_eq!(plan.action, Action::Restart);
    assert!(plan.units);
    assert_eq!(plan.stops[0].name, "web");
    assert_eq!(plan.hides_images, ["site:1", "base:2"]);
    assert_eq!(plan.hides_volumes, ["data"]);
    // It is one of those that will not be seen.
    assert_eq!(plan.volume.as_deref(), Some("data"));
    let unit = plan.files[1].diff();
    assert!(unit.contains("+RequiresMountsFor=/mnt/disk/docker\n"), "{unit}");
    assert!(!unit.contains("ExecStart"), "{unit}");
    assert!(plan.remarks.iter().any(|remark| {
        remark.hint.as_ref().is_some_and(|hint| hint.contains("rsync -aHAXS --numeric-ids"))
    }));
}

#[test]
fn containers_live_on_only_where_nothing_moves_below_them() {
    let mut fixture = Fixture::new("{}");
    fixture.machine.report.live_restore = true;
    let pools = "address-pools = [{ base = \"10.201.0.0/16\", size = 24 }]";
    assert_eq!(fixture.plan(pools).action, Action::Restart);
    assert!(fixture.plan(pools).stops.is_empty());
    assert_eq!(fixture.plan("bridge-address = \"192.168.5.1/24\"").stops.len(), 1);
}

#[test]
fn sockets_are_refused_each_with_its_reason() {
    let mut fixture = Fixture::new("{}");
    assert_eq!(fixture.refusals("hosts = [\"tcp://127.0.0.1:2375\"]"), ["hosts-tcp"]);
    assert_eq!(fixture.refusals("hosts = [\"unix:///run/x.sock\"]"), ["hosts-service"]);
    fixture.options("-H fd:// --containerd=/run/containerd/containerd.sock");
    let plan = fixture.plan("hosts = [\"unix:///run/x.sock\"]");
    assert_eq!(plan.refusals[0].code, "hosts-activation");
    assert!(plan.refusals[0].message.contains("`-H fd://`"), "{:?}", plan.refusals);
    fixture.options("-H unix:// -H tcp://127.0.0.1:2375");
    let remarks = fixture.plan("cdi = true").remarks;
    assert!(remarks[0].message.contains("whoever reaches it is root"), "{remarks:?}");
}

#[test]
fn dockers_root_goes_where_nothing_else_lies_and_a_disk_is() {
    let mut fixture = Fixture::new("{}");
    fixture.disk("ext4");
    let refused = |folder: &str| fixture.refusals(&format!("data-root = \"{folder}\""));
    for folder in ["/", "/etc", "/etc/docker", "/proc/x", "/usr/share/docker", "/var"] {
        assert_eq!(refused(folder), ["data-root-system"], "{folder}");
    }
    assert_eq!(refused("/var/lib/docker/sub"), ["data-root-inside"]);
    assert_eq!(refused("/mnt/disk/docker"), [""; 0]);
    assert_eq!(refused("/mnt/disk/deep/docker"), ["data-root-missing"], "it is not mounted");
}

#[test]
fn storage_that_cannot_be_is_refused() {
    let mut fixture = Fixture::new("{}");
    assert_eq!(fixture.refusals("storage-driver = \"overlay\""), ["storage-driver-gone"]);
    let plan = fixture.plan("storage-driver = \"overlay2\"");
    assert!(plan.refusals.is_empty());
    assert_eq!(plan.hides_images.len(), 2);
    assert!(plan.hides_volumes.is_empty());
    let wish = "data-root = \"/mnt/disk/docker\"";
    fixture.disk("ntfs3");
    assert_eq!(fixture.refusals(wish), ["data-root-unfit"]);
    fixture.disk("ext4").tells_types = false;
    assert_eq!(fixture.refusals(wish), ["data-root-unfit"]);
    fixture.disk("xfs").options.push("noexec".to_owned());
    assert_eq!(fixture.refusals(wish), ["data-root-unfit"]);
    fixture.disk("xfs").at_start = false;
    let remarks = fixture.plan(wish).remarks;
    assert!(remarks.iter().any(|remark| remark.message.contains("/etc/fstab")), "{remarks:?}");
}

#[test]
fn a_storage_driver_that_cannot_work_is_refused() {
    let mut fixture = Fixture::new("{}");
    let message = |fixture: &Fixture, driver: &str| {
        let plan = fixture.plan(&format!("storage-driver = \"{driver}\""));
        plan.refusals.into_iter().map(|refusal| refusal.message).collect::<String>()
    };
    let mut disk = fixture.disk("ext4").clone();
    fixture.machine.data_root = None;
    fixture.machine.present_root = Some(disk.clone());
    for driver in ["zfs", "btrfs"] {
        let text = message(&fixture, driver);
        assert!(text.contains("alone, and `/mnt/disk` is ext4"), "{text}");
    }
    assert_eq!(message(&fixture, "overlay3"), "Docker has no storage driver `overlay3`");
    assert_eq!(message(&fixture, "overlay2"), "");
    let text = message(&fixture, "fuse-overlayfs");
    assert!(text.contains("needs the program `fuse-overlayfs`"), "{text}");
    disk.kind = "nfs".to_owned();
    fixture.machine.present_root = Some(disk.clone());
    assert!(message(&fixture, "overlay2").contains("does not work here"));
    disk.kind = "btrfs".to_owned();
    fixture.machine.present_root = Some(disk);
    assert_eq!(message(&fixture, "btrfs"), "");
    // Containerd's plug-ins have names of their own.
    let status = ("driver-type".to_owned(), "io.containerd.snapshotter.v1".to_owned());
    fixture.machine.report.driver_status = vec![status];
    assert_eq!(message(&fixture, "nydus"), "");
}

#[test]
fn subnets_of_others_are_refused_and_a_free_one_is_named() {
    let mut fixture = Fixture::new("{}");
    fixture.route("172.17.0.0/16", Some("docker0"));
    fixture.route("192.168.5.0/24", Some("eth0"));
    fixture.route("10.201.0.0/16", None);
    let plan = fixture.plan("bridge-address = \"192.168.5.1/24\"");
    assert_eq!(plan.refusals[0].code, "subnet-taken");
    assert_eq!(
        plan.refusals[0].message,
        "`bridge-address` takes 192.168.5.0/24, and 192.168.5.0/24 behind `eth0` is reached there"
    );
    assert!(plan.refusals[0].instead.ends_with("10.202.0.0/16"), "{:?}", plan.refusals);
    let pools = "address-pools = [{ base = \"10.0.0.0/8\", size = 24 }]";
    assert!(fixture.plan(pools).refusals[0].message.contains("routing table `51820`"));
    // Docker's own bridge may get another network of the same range.
    assert!(fixture.refusals("bridge-address = \"172.17.5.1/24\"").is_empty());
}

#[test]
fn an_own_bridge_is_kept_by_whoever_looks_after_the_network() {
    let mut fixture = Fixture::new("{}");
    let wish = "bridge = \"bridge0\"\nbridge-address = \"192.168.5.1/24\"";
    assert_eq!(fixture.refusals(wish), ["bridge-not-kept"]);
    fixture.machine.bridge_keeper = Some(BridgeKeeper::Networkd);
    let plan = fixture.plan(wish);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert_eq!(plan.keys[0].key, "bridge");
    let diffs: String = plan.files.iter().map(|file| file.diff()).collect();
    for line in [
        "+    \"bridge\": \"bridge0\"",
        "+Kind=bridge",
        "+Address=192.168.5.1/24",
        "+After=sys-subsystem-net-devices-bridge0.device",
    ] {
        assert!(diffs.contains(line) || diffs.contains(&line.replace("    ", "  ")), "{diffs}");
    }
    assert_eq!(plan.network, [["networkctl", "reload"]]);
    fixture.machine.bridge_keeper = Some(BridgeKeeper::NetworkManager);
    let diffs: String = fixture.plan(wish).files.iter().map(|file| file.diff()).collect();
    assert!(diffs.contains("+address1=192.168.5.1/24"), "{diffs}");
    // An address in the settings would belong to the other bridge.
    fs_err::write(fixture.path("daemon.json"), r#"{"bip": "172.20.0.1/16"}"#).unwrap();
    assert_eq!(fixture.refusals(wish), ["bridge-twice"]);
}

#[test]
fn an_option_of_the_command_line_is_not_given_twice() {
    let mut fixture = Fixture::new("{}");
    fixture.disk("ext4");
    fixture.options("--data-root=/mnt/disk/docker --bridge=none");
    fixture.machine.report.root = "/mnt/disk/docker".into();
    assert!(fixture.plan("data-root = \"/mnt/disk/docker\"").files.len() < 2);
    assert_eq!(fixture.refusals("data-root = \"/mnt/disk/other\""), ["option-twice"]);
    assert_eq!(fixture.refusals("bridge-address = \"192.168.5.1/24\""), ["bridge-twice"]);
}

#[test]
fn an_old_drop_in_is_noticed() {
    let fixture = Fixture::new("{}");
    let folder = fixture.path("etc/systemd/system/docker.service.d");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("proxy.conf"), "[Service]\nEnvironment=A=b\n").unwrap();
    assert!(fixture.plan("cdi = true").remarks.is_empty());
    let old = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -s overlay\n";
    fs_err::write(folder.join("override.conf"), old).unwrap();
    let remarks = fixture.plan("cdi = true").remarks;
    assert_eq!(remarks.len(), 1);
    assert!(remarks[0].hint.as_ref().unwrap().contains("wheelmill host explain"), "{remarks:?}");
}

#[test]
fn what_is_not_installed_is_said_with_its_commands() {
    let mut fixture = Fixture::new("{}");
    let wish = "nvidia-runtime = \"/nonexistent/nvidia-container-runtime\"";
    let plan = fixture.plan(wish);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert!(plan.packages[2].contains("apt-get install -y nvidia-container-toolkit"));
    fixture.machine.release = "ID=arch\n".to_owned();
    assert!(fixture.refusals(wish).contains(&"runtime-missing"));
}

#[test]
fn a_daemon_that_is_not_here_is_not_changed() {
    let mut fixture = Fixture::new("{}");
    fixture.machine.report.podman = true;
    assert_eq!(fixture.refusals("cdi = true"), ["daemon-elsewhere"]);
    assert!(fixture.plan("cdi = true").files.is_empty());
    fixture.machine.report.podman = false;
    fixture.machine.report.operating_system = "Docker Desktop".to_owned();
    assert_eq!(fixture.refusals("cdi = true"), ["daemon-elsewhere"]);
}

#[test]
fn cdi_needs_a_daemon_that_knows_it() {
    let mut fixture = Fixture::new("{}");
    fixture.machine.report.version = "20.10.24+dfsg1".to_owned();
    fixture.machine.report.cdi_folders = None;
    assert_eq!(fixture.refusals("cdi = true"), ["cdi-unknown"]);
    fixture.machine.report.version = "25.0.1".to_owned();
    fixture.machine.report.cdi_folders = Some(Vec::new());
    let plan = fixture.plan("cdi = true");
    assert_eq!((plan.action, plan.refusals.len()), (Action::Restart, 0));
}

#[test]
fn settings_that_no_daemon_starts_with_are_found_before() {
    for (settings, code) in [
        (r#"{"default-runtime": "zzz"}"#, "default-runtime"),
        (r#"{"runtimes": {"runc": {"path": "/bin/true"}}}"#, "runtime-reserved"),
        (r#"{"runtimes": {"x": {"path": "/bin/true", "runtimeType": "y"}}}"#, "runtime-two-kinds"),
        (r#"{"runtimes": {"x": {"path": "no-such-program"}}}"#, "runtime-missing"),
        (r#"{"bip": "192.168.5.0/33"}"#, "bip"),
        (r#"{"data-root": "docker"}"#, "data-root-relative"),
        (r#"{"log-driver": "jsonfile"}"#, "log-driver"),
        (r#"{"log-opts": {"max-size": 10}}"#, "log-opts"),
    ] {
        let fixture = Fixture::new(settings);
        let wish = "address-pools = [{ base = \"10.201.0.0/16\", size = 24 }]";
        assert_eq!(fixture.refusals(wish), [code], "{settings}");
    }
    let mut fixture = Fixture::new(r#"{"hosts": ["unix:///run/docker.sock"]}"#);
    fixture.options("-H fd://");
    assert_eq!(fixture.refusals(RUNTIME), ["option-twice"]);
}

#[test]
fn settings_that_cannot_be_read_are_left_alone() {
    for settings in ["{\"a\": 1, // note\n}", "{\"bip\": \"\", \"bip\": \"\"}", "{} {}", "["] {
        let fixture = Fixture::new(settings);
        let error = plan(&fixture.machine, &fixture.wish(RUNTIME)).unwrap_err();
        assert!(error.to_string().ends_with("cannot be changed as it is"), "{error}");
    }
}

#[test]
fn a_runtime_that_is_registered_by_its_name_is_there() {
    let settings = r#"{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}"#;
    let mut fixture = Fixture::new(settings);
    let registered = DaemonRuntime {
        path: Some("nvidia-container-runtime".to_owned()),
        ..DaemonRuntime::default()
    };
    fixture.machine.report.runtimes.insert("nvidia".to_owned(), registered);
    assert!(fixture.plan("nvidia-runtime = true").is_nothing());
    // And is not where the daemon does not find it.
    fs_err::remove_file(fixture.path("nvidia-container-runtime")).unwrap();
    assert!(!fixture.plan("nvidia-runtime = true").is_nothing());
}
