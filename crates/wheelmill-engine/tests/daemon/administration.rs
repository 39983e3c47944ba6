//! What a daemon says of itself.

use std::time::{Duration, SystemTime};

use testkit::{Daemon, DaemonProgram, RecordedDaemon};
use wheelmill_engine::DaemonAdministration;

#[test]
fn a_daemon_says_what_it_is_and_when_it_took_new_settings() {
    let Some(daemon) = Daemon::start(DaemonProgram::Docker) else { return };
    let administration = DaemonAdministration::at(&daemon.socket());
    assert!(administration.answers(Duration::from_secs(5)));

    let report = administration.report().unwrap();
    assert_eq!(report.version, daemon.says(&["version", "--format", "{{.Server.Version}}"])[0]);
    assert_eq!(report.root, daemon.path().join("data"));
    assert_eq!(report.driver, daemon.says(&["info", "--format", "{{.Driver}}"])[0]);
    assert!(report.runtimes.contains_key("runc"), "{report:?}");
    assert!(!report.podman && !report.is_rootless());
    assert_eq!((report.bridge_address, report.bridge), (None, None));

    administration.make_volume("build-vol").unwrap();
    assert_eq!(administration.report().unwrap().volumes, ["build-vol"]);

    let soon = Duration::from_secs(20);
    let moment = SystemTime::now();
    let settings = r#"{"runtimes": {"nvidia": {"path": "/bin/true", "runtimeArgs": ["-d"]}}}"#;
    fs_err::write(daemon.settings(), settings).unwrap();
    daemon.hang_up();
    assert!(administration.has_reloaded_since(moment, soon).unwrap());
    let runtimes = administration.report().unwrap().runtimes;
    assert_eq!(runtimes["nvidia"].path.as_deref(), Some("/bin/true"));
    assert_eq!(runtimes["nvidia"].arguments, ["-d"]);

    // The event of before is not taken for a new one.
    let moment = SystemTime::now();
    fs_err::write(daemon.settings(), "{").unwrap();
    daemon.hang_up();
    assert!(!administration.has_reloaded_since(moment, Duration::from_secs(1)).unwrap());
}

#[test]
fn what_newer_daemons_say_is_read() {
    let version = r#"{"Version": "29.7.2", "ApiVersion": "1.53",
        "Components": [{"Name": "Engine", "Version": "29.7.2"}]}"#;
    let info = r#"{"ID": "e0", "DockerRootDir": "/var/lib/docker", "Driver": "overlayfs",
        "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
        "Runtimes": {"runc": {"path": "runc"}, "io.containerd.runc.v2": {"path": ""}},
        "Containerd": {"Address": "/run/containerd/containerd.sock"},
        "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
        "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}],
        "DefaultAddressPools": [{"Base": "10.201.0.0/16", "Size": 24}],
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
        "LiveRestoreEnabled": true}"#;
    let bridge = r#"{"Name": "bridge", "IPAM": {"Config": [
        {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
        {"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]},
        "Options": {"com.docker.network.bridge.name": "docker0"}}"#;
    let containers = r#"[{"Id": "c0", "Names": ["/lively"], "Image": "base:1"}]"#;
    let daemon = RecordedDaemon::start([
        ("/_ping", "OK".to_owned()),
        ("/version", version.to_owned()),
        ("/info", info.to_owned()),
        ("/containers/json", containers.to_owned()),
        ("/images/json", "[]".to_owned()),
        ("/volumes", r#"{"Volumes": []}"#.to_owned()),
        ("/networks/bridge", bridge.to_owned()),
    ]);
    let report = DaemonAdministration::at(&daemon.socket()).report().unwrap();
    assert_eq!(report.cdi_folders.as_ref().unwrap().len(), 2);
    assert_eq!(report.devices.as_ref().unwrap(), &["nvidia.com/gpu=all"]);
    assert_eq!(report.address_pools, [("10.201.0.0/16".to_owned(), 24)]);
    assert_eq!(report.bridge_address.as_deref(), Some("172.17.0.1/16"));
    assert_eq!(report.bridge.as_deref(), Some("docker0"));
    assert_eq!(report.containerd.as_deref(), Some("/run/containerd/containerd.sock"));
    assert_eq!(report.runtimes["io.containerd.runc.v2"].path, None);
    assert_eq!(report.running[0].name, "lively");
    assert!(report.live_restore && report.is_rootless());
}

#[test]
fn nobody_at_a_socket_is_said() {
    let administration = DaemonAdministration::at("/nonexistent/docker.sock".into());
    assert!(!administration.answers(Duration::from_secs(1)));
    let error = administration.report().unwrap_err().to_string();
    assert!(error.contains("does not answer at `/nonexistent/docker.sock`"), "{error}");
}
