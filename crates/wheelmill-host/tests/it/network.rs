//! Docker's own bridge, in a network of the test's own: the test program starts itself there.

use std::process::Command;

use testkit::{Daemon, DaemonProgram, DaemonSetup};
use wheelmill_engine::DaemonAdministration;
use wheelmill_host::apply::{HostSettings, Outcome};

use super::apply::{ALL, POOLS, wish};
use super::crash::Killed;
use super::machine::not_tested;

/// Runs an ignored test in a network of its own.
fn in_own_network(test: &str) {
    let started = Command::new("unshare").args(["--net", "true"]).status();
    if !started.is_ok_and(|status| status.success()) {
        return not_tested("no network of our own can be made");
    }
    let program = std::env::current_exe().expect("we are a program");
    let output = Command::new("unshare")
        .args(["--net", "sh", "-euc", "ip link set lo up; exec \"$@\"", "sh"])
        .arg(program)
        .args(["--exact", &format!("network::{test}"), "--ignored", "--nocapture"])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{output:?}");
}

/// A daemon with a bridge, on a disk where images are not of interest.
fn daemon() -> Option<Daemon> {
    let options = ["--iptables=false", "--ip6tables=false", "--ip-masq=false"];
    let setup =
        DaemonSetup { options: options.map(str::to_owned).to_vec(), ..DaemonSetup::default() };
    Daemon::start_with(DaemonProgram::Docker, setup)
}

fn host(daemon: &Daemon) -> HostSettings {
    let settings = Some(daemon.settings());
    HostSettings { daemon: DaemonAdministration::at(&daemon.socket()), settings }
}

/// What the daemon says, and what its bridge really has.
fn addresses(daemon: &Daemon) -> (String, String) {
    let report = host(daemon).daemon.report().expect("it answers");
    let output = Command::new("ip")
        .args(["-4", "-oneline", "address", "show", "dev", "docker0"])
        .output()
        .expect("ip runs");
    let shown = String::from_utf8(output.stdout).expect("it is text");
    let address = shown.split_whitespace().nth(3).unwrap_or_default().to_owned();
    (report.bridge_address.unwrap_or_default(), address)
}

fn both(address: &str) -> (String, String) {
    (address.to_owned(), address.to_owned())
}

const NEW: &str = "bridge-address = \"10.199.0.1/24\"";

#[test]
fn the_bridge_has_its_address_of_before() {
    in_own_network("bridge_of_before");
}

#[test]
#[ignore = "only in a network of its own"]
fn bridge_of_before() {
    let Some(mut daemon) = daemon() else { return };
    let before = addresses(&daemon);
    assert_eq!(before, both("172.17.0.1/16"));
    let host = host(&daemon);
    host.begin().unwrap().apply(&wish(NEW), ALL, &mut |_| {}).unwrap();
    assert_eq!(addresses(&daemon), both("10.199.0.1/24"));
    // One upon the other.
    let newer = wish("bridge-address = \"10.198.0.1/24\"");
    host.begin().unwrap().apply(&newer, ALL, &mut |_| {}).unwrap();
    assert_eq!(addresses(&daemon), both("10.198.0.1/24"));
    for after in [both("10.199.0.1/24"), before.clone()] {
        let undone = host.begin().unwrap().undo(ALL, &mut |_| {}).unwrap();
        assert_eq!(undone, Outcome::Changed);
        assert_eq!(addresses(&daemon), after);
    }
    assert_eq!(fs_err::read_to_string(daemon.settings()).unwrap(), "{}");
    // And it stays so.
    daemon.stop();
    daemon.start_again();
    assert_eq!(addresses(&daemon), before);
}

#[test]
fn the_bridge_that_moved_with_the_pools_comes_back() {
    in_own_network("bridge_of_pools");
}

#[test]
#[ignore = "only in a network of its own"]
fn bridge_of_pools() {
    let Some(mut daemon) = daemon() else { return };
    let before = addresses(&daemon);
    let host = host(&daemon);
    let plan = host.plan(&wish(POOLS)).unwrap();
    assert!(plan.remarks[0].message.ends_with("it has 172.17.0.1/16 now"), "{:?}", plan.remarks);
    host.begin().unwrap().apply(&wish(POOLS), ALL, &mut |_| {}).unwrap();
    assert_eq!(addresses(&daemon), both("10.201.0.1/24"));
    host.begin().unwrap().undo(ALL, &mut |_| {}).unwrap();
    assert_eq!(addresses(&daemon), before);
    assert_eq!(fs_err::read_to_string(daemon.settings()).unwrap(), "{}");
    // And it stays so.
    daemon.stop();
    daemon.start_again();
    assert_eq!(addresses(&daemon), before);
}

#[test]
fn a_network_of_dockers_own_is_not_taken() {
    in_own_network("network_taken");
}

#[test]
#[ignore = "only in a network of its own"]
fn network_taken() {
    let Some(daemon) = daemon() else { return };
    drop(daemon.says(&["network", "create", "--subnet", "172.18.0.0/16", "mine"]));
    for (keys, refused) in [
        ("bridge-address = \"172.18.0.1/24\"", true),
        ("address-pools = [{ base = \"172.18.0.0/16\", size = 24 }]", true),
        ("address-pools = [{ base = \"172.16.0.0/12\", size = 24 }]", false),
        (NEW, false),
    ] {
        let refusals = host(&daemon).plan(&wish(keys)).unwrap().refusals;
        let told = refusals.iter().any(|refusal| {
            refusal.code == "network-taken" && refusal.message.contains("`mine` has 172.18.0.0/16")
        });
        assert_eq!(told, refused, "{keys}: {refusals:?}");
    }
}

#[test]
fn a_way_back_of_the_bridge_is_killed_at_every_step() {
    in_own_network("bridge_killed");
}

#[test]
#[ignore = "only in a network of its own"]
fn bridge_killed() {
    let Some(daemon) = daemon() else { return };
    let host = host(&daemon);
    let mut step = 0;
    loop {
        host.begin().unwrap().apply(&wish(NEW), ALL, &mut |_| {}).unwrap();
        let killed = Killed { daemon: &daemon, keys: "" }.undo_at(step);
        if killed {
            host.begin().unwrap().undo(ALL, &mut |_| {}).unwrap();
        }
        assert_eq!(addresses(&daemon), both("172.17.0.1/16"), "at step {step}");
        assert_eq!(fs_err::read_to_string(daemon.settings()).unwrap(), "{}", "at step {step}");
        if !killed {
            break;
        }
        step += 1;
    }
    assert!(step >= 3, "it has {step} steps");
}
