//! What the engine without a daemon can do here, and what a user's own containers need.

use wheelmill_engine::{EngineKind, Severity};

use crate::doctor::fact::Facts;
use crate::doctor::result::Check;
use crate::machine::DaemonKind;

const EMBEDDED: &str = "embedded";
const IDENTITIES: &str = "identities";
const LINGER: &str = "linger";

/// With fewer, files of some users cannot exist in containers.
const ENOUGH: u32 = 65_535;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = embedded(facts);
    checks.push(identities(facts));
    checks.push(linger(facts));
    checks
}

/// Its findings; where another engine is used, one line.
fn embedded(facts: &Facts) -> Vec<Check> {
    let probe = &facts.embedded;
    if facts.engine() != EngineKind::Embedded {
        let message = format!("not used; here it works so: {}", probe.summary);
        let message = match probe.isolation {
            Some(_) => message,
            None => format!("not used, and it {}", probe.summary),
        };
        return vec![Check::not_applicable(EMBEDDED, message)];
    }
    let findings = probe.findings.iter();
    let worth = findings.filter(|finding| finding.severity == Severity::Warning);
    let warnings: Vec<Check> = worth
        .map(|finding| Check {
            fix: finding.fix.clone(),
            ..Check::warning(EMBEDDED, &finding.message, "")
        })
        .collect();
    match (warnings.is_empty(), probe.isolation) {
        (true, Some(_)) => vec![Check::ok(EMBEDDED, &probe.summary)],
        _ => warnings,
    }
}

/// Identities beside one's own, for containers of a user's own.
fn identities(facts: &Facts) -> Check {
    let user = &facts.user;
    if user.is_root {
        return Check::not_applicable(IDENTITIES, "root needs no subordinate identities");
    }
    if facts.daemon_in_use().is_some_and(|daemon| !daemon.report.is_rootless()) {
        return Check::not_applicable(IDENTITIES, "the daemon runs as root, and has all");
    }
    let (users, groups) = user.subordinate;
    if !user.has_map_programs {
        return Check::warning(
            IDENTITIES,
            "`newuidmap` and `newgidmap` are not installed: containers of this user have one user \
             alone",
            "`sudo apt-get install uidmap`; elsewhere the package is `shadow-utils`",
        );
    }
    if users < ENOUGH || groups < ENOUGH {
        let name = &user.name;
        return Check::warning(
            IDENTITIES,
            format!(
                "{name} has {users} identities in /etc/subuid and {groups} in /etc/subgid, and \
                 containers need 65536"
            ),
            format!(
                "`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}`, \
                 with a range that nobody has"
            ),
        );
    }
    Check::ok(IDENTITIES, format!("{users} users and {groups} groups for containers"))
}

/// Whether the daemon of a user outlives the login.
fn linger(facts: &Facts) -> Check {
    let of_user = facts.daemon_in_use().filter(|daemon| {
        daemon.kind() == DaemonKind::Rootless
            || daemon.kind() == DaemonKind::Podman && daemon.report.is_rootless()
    });
    let user = &facts.user;
    match of_user {
        None => Check::not_applicable(LINGER, "no daemon of the user's own is used"),
        Some(_) if user.is_root || user.lingers => {
            Check::ok(LINGER, "the daemon goes on after the logout")
        }
        Some(_) => Check::warning(
            LINGER,
            "the daemon and its containers end when you log out",
            format!("`sudo loginctl enable-linger {}`", user.name),
        ),
    }
}
