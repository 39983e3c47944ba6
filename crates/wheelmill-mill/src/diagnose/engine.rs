//! The engine, or the daemon behind it, is gone.

use super::account::Account;
use super::case::Case;
use super::evidence::Evidence;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::EngineGone,
        when: ended_outside,
        parallel: false,
        signs: &[
            Sign::Has(&["Cannot connect to the Docker daemon"]),
            Sign::Has(&["annot connect to Podman"]),
            Sign::Has(&["error during connect:"]),
            Sign::Has(&["failed to connect to the docker API"]),
            Sign::Has(&["Is the docker daemon running?"]),
            Sign::Has(&["docker.sock", "permission denied"]),
            Sign::Has(&["permission denied", "docker.sock"]),
        ],
        account: no_daemon,
    },
    Rule {
        cause: Cause::EngineGone,
        when: always,
        parallel: false,
        signs: &[
            Sign::Has(&["could not start a container"]),
            Sign::Has(&["unshare", "Operation not permitted"]),
            Sign::Has(&["unshare", "No space left on device"]),
            Sign::Has(&["unshare", "EPERM"]),
            Sign::Has(&["unshare", "ENOSPC"]),
            Sign::Has(&["newuidmap", "not allowed"]),
        ],
        account: no_namespace,
    },
];

/// Whether the engine rather than the command ended. Docker's own client reports its own failures
/// with exit code 125, and plain ones with 1 before anything ran.
fn ended_outside(evidence: &Evidence<'_>) -> bool {
    evidence.exit.is_none_or(|exit| exit.code == 125)
}

fn no_daemon(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let lines = || places.iter().map(|&place| case.line(place));
    let daemon = if lines().any(|line| line.contains("Podman")) { "Podman" } else { "Docker" };
    let address = lines()
        .find_map(|line| word_after(line, "daemon at ").or_else(|| between(line, "dial ", ":")))
        .map(|address| format!(" at {}", address.trim_end_matches(". Is")))
        .unwrap_or_default();
    let embedded = case.again("--engine embedded");
    if lines().any(|line| line.contains("permission denied")) {
        return Some(
            Account::new(format!("This user may not talk to the {daemon} daemon{address}."))
                .fix(format!("Build without a daemon: {embedded}"))
                .fix("Let this user in, and log in again: `sudo usermod --append --groups docker $USER`"),
        );
    }
    let start = if daemon == "Podman" {
        "`systemctl --user start podman.socket`"
    } else {
        "`sudo systemctl start docker`"
    };
    Some(
        Account::new(format!("The {daemon} daemon{address} does not answer."))
            .fix(format!("Build without a daemon: {embedded}"))
            .fix(format!("Start it: {start}")),
    )
}

fn no_namespace(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let limit = line.contains("No space left") || line.contains("ENOSPC");
    let account = if limit {
        // The kernel's odd way to say that the limit on namespaces is reached.
        Account::new("No container can be started: this machine allows no more user namespaces.")
            .fix("Allow them: `sudo sysctl user.max_user_namespaces=15000`")
    } else {
        Account::new(format!("No container can be started: {}.", line.trim().trim_end_matches('.')))
            .fix(
                "Allow user namespaces, on Ubuntu: \
                 `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
            )
    };
    Some(account.fix(format!("See what this machine allows: {}", case.plan("--check"))))
}
