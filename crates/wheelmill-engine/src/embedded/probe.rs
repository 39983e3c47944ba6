//! Finding out what works on this machine, by making a container.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use nix::errno::Errno;
use wheelmill_model::Digest;

use super::engine::EmbeddedEngine;
use super::mode::Mode;
use super::process::{self, HelperError};
use super::spec::{Failure, Operation};
use crate::{
    Cancel, Container, EngineKind, Finding, MemoryWatch, Prepared, Probe, Severity, Stream,
};

/// Names the folders of the host's root that cannot be changed in the container.
const SCRIPT: &str = "for folder in /etc /opt /usr /var; do \
     if test -d $folder && ! test -w $folder; then echo $folder; fi; done";

impl EmbeddedEngine {
    /// Makes a container over the host's root, as steps and builds do, and looks how it went.
    pub(super) fn try_out(&self) -> Probe {
        let mut findings = Vec::new();
        let way = match self.mode {
            Mode::Root { .. } => "as root",
            Mode::Mapped { .. } => "as a user with subordinate identities",
            Mode::Single => "as a user with one identity",
        };
        let watch = match self.try_container(false) {
            Ok((watch, read_only)) => {
                findings.extend(read_only.lines().map(cannot_be_changed));
                Some(watch)
            }
            Err(finding) => {
                findings.push(*finding);
                None
            }
        };
        if watch.is_some()
            && device(&self.settings.layers) != device(&self.settings.scratch)
            && let Err(finding) = self.try_container(true)
        {
            findings.push(*finding);
        }
        if watch == Some(MemoryWatch::Sampled) {
            findings.push(sampled());
        }
        if self.mode == Mode::Single {
            findings.push(one_identity());
        }
        findings.sort_by_key(|finding| finding.severity);
        let memory = match watch {
            Some(MemoryWatch::Cgroup) => ", memory by control group",
            Some(MemoryWatch::Sampled) => ", memory sampled",
            Some(MemoryWatch::None) | None => "",
        };
        let summary = match watch {
            Some(_) => format!("{way}, on overlays{memory}"),
            None => format!("does not work {way}"),
        };
        Probe { engine: EngineKind::Embedded, summary, findings }
    }

    /// Makes a container that writes where containers write, or where steps do. Returns how its
    /// memory was watched, and what it said.
    fn try_container(&self, as_step: bool) -> Result<(MemoryWatch, String), Box<Finding>> {
        let failed = |error: &dyn std::error::Error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            Box::new(problem(format!("{error}{cause}"), None))
        };
        let scratch = self.scratch.folder().map_err(|error| failed(&error))?;
        let key = Digest::of(format!("probe {}", std::process::id()).as_bytes());
        let layer = as_step
            .then(|| self.layers.begin(&key, &self.errands))
            .transpose()
            .map_err(|error| failed(&error))?;
        let root = Prepared { digest: key, layers: vec!["/".into()], environment: Vec::new() };
        let container = Container {
            command: vec!["sh".to_owned(), "-c".to_owned(), SCRIPT.to_owned()],
            ..Container::default()
        };
        let request = self.request(&container, &root, &scratch, layer.as_ref(), false);
        let mut said = Vec::new();
        let mut output = |_: Stream, bytes: &[u8]| said.extend_from_slice(bytes);
        match process::run(&self.program, &request, &mut output, &Cancel::new()) {
            Ok(outcome) => Ok((
                outcome.ended.watch.unwrap_or(MemoryWatch::None),
                String::from_utf8_lossy(&said).into_owned(),
            )),
            Err(HelperError::Process(error)) => {
                let program = &self.settings.program;
                Err(Box::new(problem(format!("`{program}` could not be run again: {error}"), None)))
            }
            Err(HelperError::Failed(failure)) => {
                let folder = if as_step { &self.settings.layers } else { &self.settings.scratch };
                Err(Box::new(explain(&failure, self.mode, folder)))
            }
        }
    }
}

/// The device that a folder, or the nearest one above that is there, lies on.
fn device(folder: &Utf8Path) -> Option<u64> {
    folder.ancestors().find_map(|folder| Some(folder.metadata().ok()?.dev()))
}

fn problem(message: String, fix: Option<&str>) -> Finding {
    Finding { severity: Severity::Problem, message, fix: fix.map(str::to_owned) }
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

/// What a failure means, and what to do about it.
fn explain(failure: &Failure, mode: Mode, folder: &Utf8Path) -> Finding {
    let errno = Errno::from_raw(failure.errno);
    let setting = |name: &str| {
        fs_err::read_to_string(format!("/proc/sys/{name}")).map(|text| text.trim().to_owned()).ok()
    };
    let is = |name: &str, value: &str| setting(name).as_deref() == Some(value);
    let refused = matches!(errno, Errno::EPERM | Errno::EACCES);
    let (message, fix) = match &failure.operation {
        Operation::Namespaces if !mode.is_user() => (
            "this root may not make namespaces; it is probably that of a container itself",
            Some("start the outer container with `--privileged`, or use the machine itself"),
        ),
        Operation::Namespaces if errno == Errno::ENOSPC || is("user/max_user_namespaces", "0") => (
            "user namespaces are turned off on this machine",
            Some("as root: sysctl -w user.max_user_namespaces=15000"),
        ),
        Operation::Namespaces if is("kernel/unprivileged_userns_clone", "0") => (
            "only root may make user namespaces on this machine",
            Some("as root: sysctl -w kernel.unprivileged_userns_clone=1"),
        ),
        Operation::Namespaces if refused => (
            "user namespaces are refused, as they are in most containers",
            Some("start the outer container with `--security-opt seccomp=unconfined`"),
        ),
        Operation::MapIds if matches!(mode, Mode::Mapped { .. }) => (
            "`newuidmap` could not map the ranges in /etc/subuid and /etc/subgid",
            Some("see that `newuidmap` and `newgidmap` belong to root and are set-user-id"),
        ),
        Operation::Stage if is("kernel/apparmor_restrict_unprivileged_userns", "1") => (
            "AppArmor lets users make namespaces, but mount nothing in them",
            Some(
                "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give \
                 wheelmill a profile with `userns`",
            ),
        ),
        Operation::Overlay(_) if errno == Errno::ENODEV => {
            ("this kernel has no overlay file system", Some("as root: modprobe overlay"))
        }
        Operation::Overlay(_) if refused && mode.is_user() => (
            "this kernel lets only root mount overlays (users may since Linux 5.11)",
            Some("run as root; on Debian 11, as root: modprobe overlay permit_mounts_in_userns=1"),
        ),
        Operation::Overlay(_) => {
            return problem(
                format!(
                    "no overlay can be mounted with what is written in `{folder}`; network file \
                     systems and other overlays cannot take it"
                ),
                Some("put the folder on a local disk or in memory"),
            );
        }
        Operation::System(path) if refused && path == "/proc" => (
            "a container's /proc cannot be mounted, as is usual in containers",
            Some("start the outer container with `--privileged`, or use the machine itself"),
        ),
        operation => {
            let message = format!("a container could not {operation}: {}", failure.source());
            return problem(message, None);
        }
    };
    problem(message.to_owned(), fix)
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    #[test]
    fn failures_are_explained_with_what_to_do() {
        let explained = |operation, errno, mode| {
            let failure = Failure { operation, errno };
            explain(&failure, mode, "/net/scratch".into())
        };
        let root = Mode::Root { user_attributes: false };
        let overlay = || Operation::Overlay("/".into());
        let finding = explained(Operation::Namespaces, libc::EPERM, root);
        assert!(finding.message.contains("this root") && finding.fix.is_some(), "{finding:?}");
        let finding = explained(overlay(), libc::EPERM, Mode::Single);
        assert!(finding.message.contains("5.11"), "{finding:?}");
        let finding = explained(overlay(), libc::EINVAL, root);
        assert!(finding.message.contains("`/net/scratch`"), "{finding:?}");
        let finding = explained(Operation::Pivot, libc::EINVAL, root);
        assert!(finding.message.contains("change the root"), "{finding:?}");
        assert_eq!(finding.severity, Severity::Problem);
    }
}
