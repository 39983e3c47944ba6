//! Sockets of a daemon that are open to everybody.

use std::collections::BTreeSet;

use serde_json::Value;
use wheelmill_engine::EngineKind;

use crate::doctor::fact::{DaemonFacts, Facts};
use crate::doctor::result::Check;

const CODE: &str = "tcp-socket";

/// How Docker warns of a socket without TLS in what it says of itself.
const WARNING: &str = "API is accessible on http://";

/// Whether it is used or not: who reaches such a socket is root.
pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let Some(daemon) = facts.daemon(EngineKind::Docker) else {
        return vec![Check::not_applicable(CODE, "no Docker answers")];
    };
    let open = open(daemon);
    if open.is_empty() {
        return vec![match daemon.options {
            Some(_) => Check::ok(CODE, "the daemon listens at no TCP socket without TLS"),
            None => Check::not_checked(
                CODE,
                "the daemon's command line cannot be seen; it warns of no open socket itself",
                "run it on the daemon's own machine, not in a container",
            ),
        }];
    }
    let fix = "take `-H tcp://…` out of the service: `sudo systemctl edit docker`; from another \
               machine use `docker context create NAME --docker host=ssh://USER@MACHINE`";
    open.into_iter()
        .map(|address| {
            let local = address.rsplit_once(':').map_or(&*address, |(host, _)| host);
            if ["127.0.0.1", "localhost", "[::1]"].contains(&local) {
                let message = format!(
                    "Docker listens at {address} without TLS: every program on this machine can \
                     become root, and so can a web page in a browser on it"
                );
                Check::warning(CODE, message, fix)
            } else {
                let message = format!(
                    "Docker listens at {address} without TLS: whoever reaches it over the network \
                     is root here"
                );
                Check::problem(CODE, message, fix)
            }
        })
        .collect()
}

/// Addresses, as the daemon, its command line and its settings tell them.
fn open(daemon: &DaemonFacts) -> BTreeSet<String> {
    let warned = daemon.report.warnings.iter().filter_map(|warning| {
        let (_, rest) = warning.split_once(WARNING)?;
        rest.split([' ', '/']).next()
    });
    let mut found: BTreeSet<String> = warned.map(str::to_owned).collect();
    let verified = |value: &str| value != "false";
    let options = daemon.options.iter();
    let by_option = options.clone().any(|options| options.value("tlsverify").is_some_and(verified));
    let by_file = daemon.setting("tlsverify") == Some(&Value::Bool(true));
    if by_option || by_file {
        return found;
    }
    let of_line = options.flat_map(|options| options.values("hosts")).map(str::to_owned);
    let of_file = daemon.setting("hosts").and_then(Value::as_array).into_iter().flatten();
    let of_file = of_file.filter_map(|host| host.as_str().map(str::to_owned));
    found.extend(of_line.chain(of_file).filter_map(|host| {
        let address = host.strip_prefix("tcp://")?;
        // Without an address it is the machine's own, and without a port that of Docker.
        let address = if address.starts_with(':') {
            format!("127.0.0.1{address}")
        } else {
            address.to_owned()
        };
        Some(if address.contains(':') { address } else { format!("{address}:2375") })
    }));
    found
}
