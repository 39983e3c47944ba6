//! Networks of containers that hide others.

use wheelmill_model::{InterfaceAddress, Subnet};

use crate::doctor::fact::{DaemonFacts, Facts};
use crate::doctor::result::Check;
use crate::machine::{DaemonKind, Route};
use crate::plan::free;

const BRIDGE: &str = "bridge";
const POOLS: &str = "address-pools";

/// Where Docker takes networks from unless it is told otherwise (moby, `ipamutils`).
const DEFAULT_POOLS: [&str; 7] = [
    "172.17.0.0/16",
    "172.18.0.0/16",
    "172.19.0.0/16",
    "172.20.0.0/14",
    "172.24.0.0/14",
    "172.28.0.0/14",
    "192.168.0.0/16",
];

/// How the devices of VPNs are called.
const VPN: [&str; 9] =
    ["tun", "tap", "wg", "ppp", "ipsec", "tailscale", "zt", "nordlynx", "cscotun"];

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let daemon = facts.daemon_in_use();
    let Some(daemon) = daemon.filter(|daemon| daemon.kind() == DaemonKind::Docker) else {
        let message = "no Docker is used that makes networks on this machine";
        return vec![Check::not_applicable(BRIDGE, message)];
    };
    vec![bridge(daemon), pools(daemon)]
}

/// Routes that are neither Docker's nor its bridge's own.
fn foreign(daemon: &DaemonFacts) -> impl Iterator<Item = &Route> {
    let own = daemon.report.bridge.as_deref();
    let is_own = move |route: &&Route| own.is_some() && route.device.as_deref() == own;
    daemon.routes.iter().filter(|route| !route.is_dockers()).filter(move |route| !is_own(route))
}

fn bridge(daemon: &DaemonFacts) -> Check {
    let Some(address) = &daemon.report.bridge_address else {
        return Check::not_applicable(BRIDGE, "the daemon has no bridge of its own");
    };
    let Ok(subnet) = address.parse::<InterfaceAddress>().map(InterfaceAddress::subnet) else {
        let message = format!("the bridge has the address {address}");
        return Check::not_checked(BRIDGE, message, "`docker network inspect bridge`");
    };
    match foreign(daemon).find(|route| route.to.overlaps(subnet)) {
        None => Check::ok(BRIDGE, format!("{subnet} hides no network of this machine")),
        Some(route) => Check::warning(
            BRIDGE,
            format!("containers take {subnet}, and {} is reached there", behind(route)),
            match free(&daemon.routes).and_then(first_address) {
                Some(free) => format!(
                    "write `bridge-address = \"{free}\"` below `[host]` of wheelmill.toml, then \
                     `sudo wheelmill host apply`"
                ),
                None => "`ip route show table all`".to_owned(),
            },
        ),
    }
}

/// `10.201.0.1/24` of `10.201.0.0/16`.
fn first_address(subnet: Subnet) -> Option<String> {
    let text = subnet.to_string();
    let (network, _) = text.split_once('/')?;
    Some(format!("{}.1/24", network.rsplit_once('.')?.0))
}

/// Networks that users make. Docker itself keeps off what is reached without a gateway, and off
/// nothing behind a VPN.
fn pools(daemon: &DaemonFacts) -> Check {
    let told = &daemon.report.address_pools;
    let texts: Vec<&str> = match told.is_empty() {
        true => DEFAULT_POOLS.to_vec(),
        false => told.iter().map(|(base, _)| base.as_str()).collect(),
    };
    let pools: Vec<Subnet> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let counts = |route: &&Route| !told.is_empty() || is_vpn(route);
    let taken = foreign(daemon).filter(counts).find_map(|route| {
        let pool = pools.iter().find(|pool| pool.overlaps(route.to))?;
        Some((pool, route))
    });
    match taken {
        None if told.is_empty() => Check::ok(POOLS, "Docker's own, in which no VPN lies"),
        None => Check::ok(POOLS, format!("{}, free of other networks", texts.join(", "))),
        Some((pool, route)) => Check::warning(
            POOLS,
            format!(
                "networks of containers may take {pool}, and {} is reached there",
                behind(route)
            ),
            match free(&daemon.routes) {
                Some(free) => format!(
                    "write `address-pools = [{{ base = \"{free}\", size = 24 }}]` below `[host]` \
                     of wheelmill.toml, then `sudo wheelmill host apply`"
                ),
                None => "`ip route show table all`".to_owned(),
            },
        ),
    }
}

fn is_vpn(route: &Route) -> bool {
    match &route.device {
        Some(device) => VPN.iter().any(|name| device.starts_with(name)),
        // VPNs make tables of their own.
        None => route.table != "main",
    }
}

fn behind(route: &Route) -> String {
    match &route.device {
        Some(device) => format!("{} behind `{device}`", route.to),
        None => format!("{} of the routing table `{}`", route.to, route.table),
    }
}
