//! Which daemons answer, and who may ask them.

use camino::Utf8Path;
use wheelmill_engine::EngineKind;

use super::engine::start;
use crate::doctor::fact::{DaemonFacts, DaemonState, Facts};
use crate::doctor::result::Check;
use crate::machine::DaemonKind;

const DOCKER: &str = "docker";
const PODMAN: &str = "podman";
const LIMITS: &str = "limits";

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        state(facts, EngineKind::Docker, &facts.docker),
        state(facts, EngineKind::Podman, &facts.podman),
    ];
    checks.extend(facts.daemon_in_use().map(limits));
    checks
}

fn state(facts: &Facts, kind: EngineKind, state: &DaemonState) -> Check {
    let code = if kind == EngineKind::Podman { PODMAN } else { DOCKER };
    let is_wanted = facts.need.engine == Some(kind);
    let name = if kind == EngineKind::Podman { "Podman" } else { "Docker" };
    // What nobody asked for, and what something else stands in for, is no problem.
    let missing = |message: String, fix: &str| match (is_wanted, facts.need.engine) {
        (true, _) => Check::problem(code, message, fix),
        (false, None) => Check::warning(code, message, fix),
        (false, Some(_)) => Check::not_applicable(code, message),
    };
    match state {
        DaemonState::Absent if is_wanted => {
            Check::problem(code, format!("{name} has no socket here: it does not run"), start(kind))
        }
        DaemonState::Absent => {
            Check::not_applicable(code, format!("{name} does not run, and builds do without"))
        }
        DaemonState::Elsewhere(why) => missing(
            format!("{name} is not on this machine: {why}"),
            "run wheelmill on the daemon's machine, or unset what names it",
        ),
        DaemonState::Denied(socket) => {
            let (message, fix) = denied(facts, kind, socket);
            missing(message, &fix)
        }
        DaemonState::Silent { socket, why } => {
            missing(format!("{name} does not answer at `{socket}`: {why}"), start(kind))
        }
        DaemonState::Answers(daemon) if facts.daemon(kind).is_none() => missing(
            format!("what answers at `{}` is {}", daemon.socket, described(daemon)),
            "name the engine that it is: `--engine podman` or `--engine docker`",
        ),
        DaemonState::Answers(daemon) => answering(code, daemon),
    }
}

/// A daemon that answers, and what it cannot by its nature.
fn answering(code: &'static str, daemon: &DaemonFacts) -> Check {
    let message = format!("{} answers at `{}`", described(daemon), daemon.socket);
    match daemon.kind() {
        DaemonKind::Snap => Check::warning(
            code,
            format!("{message}: a snap sees neither other disks nor NVIDIA's runtime"),
            "`sudo snap remove docker`, then Docker's own packages: \
             https://docs.docker.com/engine/install/",
        ),
        DaemonKind::Desktop => Check::warning(
            code,
            format!(
                "{message}: containers run in a virtual machine, with its memory and processors, \
                 and without this machine's GPUs"
            ),
            "install Docker's own packages, then `docker context use default`: \
             https://docs.docker.com/engine/install/",
        ),
        DaemonKind::Docker | DaemonKind::Rootless | DaemonKind::Podman => Check::ok(code, message),
    }
}

/// `Docker 29.7.2 (API 1.53, rootless)`.
fn described(daemon: &DaemonFacts) -> String {
    let name = match daemon.kind() {
        DaemonKind::Podman => "Podman",
        DaemonKind::Desktop => "Docker Desktop's Docker",
        DaemonKind::Snap => "the snap's Docker",
        DaemonKind::Docker | DaemonKind::Rootless => "Docker",
    };
    let rights = if daemon.report.is_rootless() { "rootless" } else { "as root" };
    format!("{name} {} (API {}, {rights})", daemon.report.version, daemon.report.api_version)
}

/// Why a socket is closed to this user, and the way in.
fn denied(facts: &Facts, kind: EngineKind, socket: &Utf8Path) -> (String, String) {
    let user = &facts.user;
    let message = format!("{} may not use `{socket}`", user.name);
    if kind == EngineKind::Podman {
        let fix = "use a Podman of your own: `systemctl --user start podman.socket`";
        return (message, fix.to_owned());
    }
    let is_in = |groups: &[String]| groups.iter().any(|group| group == "docker");
    if is_in(&user.groups_at_login) && !is_in(&user.groups) {
        return (
            format!("{message}: the group `docker` holds from the next login on"),
            "log out and in again, or in this shell: `newgrp docker`".to_owned(),
        );
    }
    (
        message,
        format!(
            "`sudo usermod --append --groups docker {}`, then log in again (who is in that group \
             can become root); or Docker of your own: `dockerd-rootless-setuptool.sh install`",
            user.name
        ),
    )
}

/// Whether the daemon can keep a build within its memory.
fn limits(daemon: &DaemonFacts) -> Check {
    let warnings = &daemon.report.warnings;
    match warnings.iter().find(|warning| warning.contains("No memory limit support")) {
        None => Check::ok(LIMITS, "memory of containers can be limited"),
        Some(_) if daemon.report.is_rootless() => Check::warning(
            LIMITS,
            "memory of containers cannot be limited: control groups are not delegated to users",
            "`sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu \
             cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf \
             && sudo systemctl daemon-reload`, then log in again",
        ),
        Some(_) => Check::warning(
            LIMITS,
            "memory of containers cannot be limited: the kernel has no control group for it",
            "add `cgroup_enable=memory` to the kernel's command line and reboot",
        ),
    }
}
