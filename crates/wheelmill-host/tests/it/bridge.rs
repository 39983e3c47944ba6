//! A bridge of one's own, made by a real systemd-networkd and a real NetworkManager in networks of
//! the tests' own.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use tempfile::TempDir;
use wheelmill_host::machine::BridgeKeeper;
use wheelmill_host::plan::HostPlan;

use crate::machine::{Ended, not_tested};
use crate::plan::Fixture;

/// Where Debian and its relatives have it.
const NETWORKD: &str = "/lib/systemd/systemd-networkd";

/// Starts networkd upon the files in `$1`, in a network and mounts of its own, and tells of every
/// address. It waits for udev unless /sys is read-only, as in a container.
const SCRIPT: &str = r#"
    ip link set lo up
    mount -t tmpfs none /run
    mount -t sysfs -o ro none /sys
    mkdir -p /run/systemd/netif /etc/systemd/network
    chown systemd-network:systemd-network /run/systemd/netif
    mount --bind "$1" /etc/systemd/network
    ip -oneline monitor address &
    echo ready
    exec "$2" >/dev/null 2>&1
"#;

/// Writes the files that a plan has in a folder of this name.
fn write(plan: &HostPlan, name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in &plan.files {
        if file.path.parent().and_then(Utf8Path::file_name) != Some(name) {
            continue;
        }
        // The file is new: all of it is added.
        let diff = file.diff();
        let added = diff.lines().filter(|line| !line.starts_with("+++"));
        let text: String = added
            .filter_map(|line| line.strip_prefix('+'))
            .map(|line| format!("{line}\n"))
            .collect();
        let path = folder.path().join(file.path.file_name().unwrap_or_default());
        fs_err::write(&path, text).expect("it is ours");
        // NetworkManager takes no other; networkd has no rights to read these.
        let mode = if name == "network" { 0o644 } else { 0o600 };
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    folder
}

#[test]
fn networkd_makes_the_bridge_that_the_plan_writes() {
    if !Utf8Path::new(NETWORKD).exists() {
        return not_tested("there is no systemd-networkd");
    }
    let mut fixture = Fixture::new("{}");
    fixture.machine.bridge_keeper = Some(BridgeKeeper::Networkd);
    let plan = fixture.plan("bridge = \"bridge0\"\nbridge-address = \"192.168.5.1/24\"");
    let folder = write(&plan, "network");
    let started = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "--kill-child", "--pid", "--fork"])
        .args(["sh", "-euc", SCRIPT, "sh"])
        .arg(folder.path())
        .arg(NETWORKD)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return not_tested("there is no unshare") };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let _ended = Ended(child);
    let mut seen = Vec::new();
    let is_there = lines.by_ref().any(|line| {
        seen.push(line);
        seen.last().is_some_and(|line| line.contains("bridge0") && line.contains("192.168.5.1/24"))
    });
    if seen.iter().all(|line| line != "ready") {
        return not_tested("no network of our own can be made");
    }
    assert!(is_there, "{seen:?}");
}

/// Where all distributions have it.
const NETWORK_MANAGER: &str = "/usr/sbin/NetworkManager";

/// Starts NetworkManager with a bus, a network and mounts of its own, lets it take the files in `$1`
/// by the commands in `$2`, and starts it once more, as after a reboot; then the files are gone.
const MANAGED: &str = r#"
    ip link set lo up
    mount -t tmpfs none /run
    mount -t sysfs -o ro none /sys
    mkdir -p /run/dbus /run/none /run/lib /etc/NetworkManager/system-connections /var/lib/NetworkManager
    mount --bind /run/lib /var/lib/NetworkManager
    cat > /run/bus.conf <<-END
	<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>
	<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/>
	<allow send_type="method_call"/><allow send_destination="*"/><allow receive_sender="*"/>
	</policy></busconfig>
	END
    printf '[main]\nplugins=keyfile\nauth-polkit=false\ndns=none\nrc-manager=unmanaged\n' > /run/nm.conf
    dbus-daemon --config-file=/run/bus.conf --fork --nopidfile --nosyslog
    mkdir -m 700 /run/connections
    mount --bind /run/connections /etc/NetworkManager/system-connections
    start() {
        NetworkManager --no-daemon --config=/run/nm.conf --config-dir=/run/none \
            --system-config-dir=/run/none --intern-config=/run/intern.conf \
            --state-file=/run/state >&2 &
        manager=$!
        # It tells by its answer that it is there.
        until nmcli general >&2; do kill -0 $manager; sleep 0.1; done
    }
    address() { ip -oneline -4 address show bridge0 | grep -o 'inet [^ ]*'; }
    start
    echo ready
    cp -p "$1"/* /run/connections
    eval "$2" >&2
    echo "made: $(address)"
    kill $manager
    wait $manager || true
    ip link delete bridge0 || true
    start
    until address > /dev/null; do kill -0 $manager; sleep 0.1; done
    echo "again: $(address)"
    rm /run/connections/*
    nmcli connection reload
    ip link delete bridge0 2>&- || true
    echo "left: $(nmcli --terse --fields NAME connection | grep -c wheelmill)"
"#;

#[test]
fn network_manager_makes_the_bridge_that_the_plan_writes() {
    if !Utf8Path::new(NETWORK_MANAGER).exists() {
        return not_tested("there is no NetworkManager");
    }
    let mut fixture = Fixture::new("{}");
    fixture.machine.bridge_keeper = Some(BridgeKeeper::NetworkManager);
    let plan = fixture.plan("bridge = \"bridge0\"\nbridge-address = \"192.168.5.1/24\"");
    let folder = write(&plan, "system-connections");
    let root = fixture.machine.root.as_str();
    let commands: Vec<String> =
        plan.network.iter().map(|command| command.join(" ").replace(root, "")).collect();
    let started = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "--kill-child", "--pid", "--fork"])
        .args(["timeout", "60", "bash", "-uc", MANAGED, "bash"])
        .arg(folder.path())
        .arg(commands.join(" && "))
        .output();
    let Ok(output) = started else { return not_tested("there is no unshare") };
    let told = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = told.lines().collect();
    if lines.first() != Some(&"ready") {
        return not_tested("no network of our own can be made");
    }
    assert_eq!(
        lines[1..],
        ["made: inet 192.168.5.1/24", "again: inet 192.168.5.1/24", "left: 0"],
        "{output:?}"
    );
}
