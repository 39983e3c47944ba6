//! A bridge of one's own, made by a real systemd-networkd in a network of the test's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use camino::Utf8Path;
use wheelmill_host::machine::BridgeKeeper;

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

#[test]
fn networkd_makes_the_bridge_that_the_plan_writes() {
    if !Utf8Path::new(NETWORKD).exists() {
        return not_tested("there is no systemd-networkd");
    }
    let mut fixture = Fixture::new("{}");
    fixture.machine.bridge_keeper = Some(BridgeKeeper::Networkd);
    let plan = fixture.plan("bridge = \"bridge0\"\nbridge-address = \"192.168.5.1/24\"");
    let folder = tempfile::tempdir().unwrap();
    for file in &plan.files {
        let name = file.path.file_name().unwrap();
        if name.ends_with(".netdev") || name.ends_with(".network") {
            // The file is new: all of it is added.
            let diff = file.diff();
            let added = diff.lines().filter(|line| !line.starts_with("+++"));
            let text: String = added
                .filter_map(|line| line.strip_prefix('+'))
                .map(|line| format!("{line}\n"))
                .collect();
            fs_err::write(folder.path().join(name), text).unwrap();
        }
    }
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
