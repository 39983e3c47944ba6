//! What it means when the kernel refuses something that containers need, and what to do about it.

use camino::Utf8Path;
use nix::errno::Errno;

use super::mode::Mode;
use super::spec::{Failure, Operation};

/// Why an isolation cannot be had on this machine.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// What is missing.
    pub(super) message: String,
    /// What to do about it.
    pub(super) fix: Option<String>,
    /// Whether it is overlays that are missing, and nothing before them.
    pub(super) of_overlays: bool,
}

impl Refusal {
    pub(super) fn new(message: String, fix: Option<&str>) -> Self {
        Self { message, fix: fix.map(str::to_owned), of_overlays: false }
    }
}

/// What a failure means, and what to do about it.
pub(super) fn explain(failure: &Failure, mode: Mode, folder: &Utf8Path) -> Refusal {
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
            return Refusal::new(
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
            return Refusal::new(message, None);
        }
    };
    Refusal::new(message.to_owned(), fix)
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
    }
}
