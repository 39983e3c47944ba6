//! What the engine says of this machine.

use super::engine::EmbeddedEngine;
use super::mode::Mode;
use super::refusal::Refusal;
use super::way::Way;
use crate::{EngineKind, Finding, Isolation, MemoryWatch, Probe, Severity};

impl EmbeddedEngine {
    /// Makes a container over the host's root, as steps and builds do, and looks how it went.
    pub(super) fn try_out(&self) -> Probe {
        let engine = EngineKind::Embedded;
        match self.tried() {
            Ok(way) => Probe {
                engine,
                summary: self.summary(way),
                isolation: Some(way.isolation),
                findings: self.findings(way),
            },
            Err(refusal) => Probe {
                engine,
                summary: format!("does not work {}", self.rights()),
                isolation: None,
                findings: vec![Finding {
                    severity: Severity::Problem,
                    message: refusal.message.clone(),
                    fix: refusal.fix.clone(),
                }],
            },
        }
    }

    const fn rights(&self) -> &'static str {
        match self.mode {
            Mode::Root { .. } => "as root",
            Mode::Mapped { .. } => "as a user with subordinate identities",
            Mode::Single => "as a user with one identity",
        }
    }

    fn summary(&self, way: &Way) -> String {
        let rights = self.rights();
        let how = match way.isolation {
            Isolation::Overlay => format!("{rights}, on overlays"),
            Isolation::ReadOnly => format!("{rights}, over a root that cannot be changed"),
            Isolation::Landlock => "without containers, within Landlock".to_owned(),
            Isolation::Process => "without containers".to_owned(),
        };
        let memory = match way.watch {
            MemoryWatch::Cgroup => ", memory by control group",
            MemoryWatch::Sampled => ", memory sampled",
            MemoryWatch::None => "",
        };
        how + memory
    }

    fn findings(&self, way: &Way) -> Vec<Finding> {
        let mut findings = Vec::new();
        match &way.refused {
            Some(refusal) => findings.push(fallen_back(way.isolation, refusal)),
            None if way.isolation > Isolation::Overlay => findings.push(chosen(way.isolation)),
            None => {}
        }
        if way.isolation.has_layers() {
            findings.extend(way.closed.iter().map(|folder| cannot_be_changed(folder)));
        }
        if way.watch == MemoryWatch::Sampled {
            findings.push(sampled());
        }
        if self.mode == Mode::Single && way.isolation.has_namespaces() {
            findings.push(one_identity());
        }
        findings
    }
}

/// What it costs a user that containers are not kept apart as well as they could be.
const fn cost(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Overlay => "nothing is missing",
        Isolation::ReadOnly => {
            "no system packages can be installed in containers, and images cannot be a base"
        }
        Isolation::Landlock => {
            "builds run as processes of this user, kept by Landlock to the system's files and \
             folders of their own, and can see this user's other processes; no system packages \
             can be installed for them, images cannot be a base, there is no loopback while \
             compiling, and paths of this machine get into what they compile"
        }
        Isolation::Process => {
            "builds run as processes of this user and can read and change whatever this user can: \
             build only what you trust; no system packages can be installed for them, images \
             cannot be a base, there is no loopback while compiling, and paths of this machine get \
             into what they compile"
        }
    }
}

fn fallen_back(isolation: Isolation, refusal: &Refusal) -> Finding {
    Finding {
        severity: Severity::Warning,
        message: format!("{}. So {}", refusal.message, cost(isolation)),
        fix: refusal.fix.clone(),
    }
}

fn chosen(isolation: Isolation) -> Finding {
    Finding {
        severity: Severity::Warning,
        message: format!("the isolation `{isolation}` was chosen: {}", cost(isolation)),
        fix: Some(
            "leave `--isolation` out, and the best that this machine allows is taken".to_owned(),
        ),
    }
}

fn sampled() -> Finding {
    Finding {
        severity: Severity::Warning,
        message: "memory is sampled, since no control group can be made here: short peaks are not \
                  seen, limits are overshot before they are noticed, and processors are limited in \
                  whole ones"
            .to_owned(),
        fix: Some(
            "where systemd runs: put `systemd-run --user --scope -p Delegate=yes` before the \
             command"
                .to_owned(),
        ),
    }
}

fn one_identity() -> Finding {
    Finding {
        severity: Severity::Note,
        message: "containers have one user, root: changes of ownership in them do nothing"
            .to_owned(),
        fix: Some(
            "an administrator can install `newuidmap` (package uidmap or shadow-utils) and give \
             this user ranges in /etc/subuid and /etc/subgid"
                .to_owned(),
        ),
    }
}

fn cannot_be_changed(folder: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        message: format!(
            "`{folder}` cannot be changed in containers, since other file systems are mounted \
             below it: no packages can be installed there"
        ),
        fix: Some("use an image as base, or install what is missing on this machine".to_owned()),
    }
}
