//! Where the machine sends packets.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use wheelmill_model::Subnet;

/// A network that the machine knows a way to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Route {
    /// The network.
    pub to: Subnet,
    /// The device behind which it lies, where the main table says so: `tun0`.
    pub device: Option<String>,
    /// The table: `main`, or the number of one that a VPN made.
    pub table: String,
}

impl Route {
    /// All routes of a process's network, of every table, but not the default ones: a VPN that
    /// takes everything (`0.0.0.0/1`, `128.0.0.0/1`) leaves nothing to avoid.
    #[must_use]
    pub fn all(process: Option<i32>) -> Vec<Self> {
        let folder = match process {
            Some(id) => format!("/proc/{id}/net"),
            None => "/proc/self/net".to_owned(),
        };
        let text = |file: &str| fs_err::read_to_string(format!("{folder}/{file}"));
        Self::read(&text("fib_trie").unwrap_or_default(), &text("route").unwrap_or_default())
    }

    /// Whether Docker made it, for its own bridges.
    #[must_use]
    pub fn is_dockers(&self) -> bool {
        self.device.as_deref().is_some_and(|device| {
            let network = device.strip_prefix("br-").is_some_and(|id| {
                id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            network || matches!(device, "docker0" | "docker_gwbridge")
        })
    }

    fn read(trie: &str, table: &str) -> Vec<Self> {
        let devices = devices(table);
        let mut routes: Vec<Self> = Vec::new();
        let (mut name, mut address) = (String::new(), None);
        for line in trie.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                _ if !line.starts_with(' ') => {
                    let title = line.trim_end_matches(':').to_lowercase();
                    name = title.strip_prefix("id ").unwrap_or(&title).to_owned();
                }
                ["|--", leaf] => address = leaf.parse::<Ipv4Addr>().ok(),
                [prefix, _, kind, ..] if prefix.starts_with('/') => {
                    // The machine's own addresses are in its networks. Where nobody has made rules, the
                    // kernel keeps both tables as one, and shows all of it under both names.
                    let far = name != "local"
                        && !matches!(kind, "LOCAL" | "BROADCAST" | "ANYCAST" | "MULTICAST");
                    let prefix = prefix[1..].parse::<u8>().ok().filter(|prefix| *prefix > 1);
                    if let (true, Some(address), Some(prefix)) = (far, address, prefix) {
                        let to = Subnet::of(address, prefix);
                        let device = devices.get(&to).filter(|_| name == "main").cloned();
                        let route = Self { to, device, table: name.clone() };
                        routes.extend((!routes.contains(&route)).then_some(route));
                    }
                }
                _ => {}
            }
        }
        routes
    }
}

/// The device of each network of the main table; its numbers have their bytes turned round.
fn devices(table: &str) -> HashMap<Subnet, String> {
    let number = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::from_be);
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (device, to, mask) = (words.first()?, words.get(1)?, words.get(7)?);
            let prefix = u8::try_from(number(mask)?.count_ones()).ok()?;
            Some((Subnet::of(Ipv4Addr::from_bits(number(to)?), prefix), (*device).to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        /1 universe UNICAST
     +-- 10.0.0.0/7 2 0 2
        |-- 10.8.0.0
           /24 link UNICAST
        |-- 10.8.0.3
           /32 host LOCAL
     |-- 172.17.0.0
        /16 link UNICAST
     |-- 192.168.0.0
        /16 universe BLACKHOLE
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 172.17.0.0
        /16 link UNICAST
Id 51820:
     |-- 192.168.5.0
        /24 universe UNICAST
";

    const TABLE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t0000080A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
";

    #[test]
    fn networks_of_every_table_are_read_and_addresses_are_not() {
        let routes = Route::read(TRIE, TABLE);
        let read: Vec<String> = routes
            .iter()
            .map(|route| {
                let device = route.device.as_deref().unwrap_or("-");
                format!("{} {device} {}", route.to, route.table)
            })
            .collect();
        assert_eq!(
            read,
            [
                "10.8.0.0/24 tun0 main",
                "172.17.0.0/16 docker0 main",
                "192.168.0.0/16 - main",
                "192.168.5.0/24 - 51820",
            ]
        );
        let own: Vec<bool> = routes.iter().map(Route::is_dockers).collect();
        assert_eq!(own, [false, true, false, false]);
    }

    #[test]
    fn bridges_of_docker_are_known_by_their_names() {
        let of = |device: &str| Route {
            to: "10.0.0.0/8".parse().unwrap(),
            device: Some(device.to_owned()),
            table: "main".to_owned(),
        };
        assert!(of("br-0123456789ab").is_dockers());
        assert!(!of("br-lan").is_dockers() && !of("bridge0").is_dockers());
    }
}
