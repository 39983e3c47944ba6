//! A daemon that is a unit of systemd.

use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::ServiceError;
use super::manager::{MOST, ServiceManager};

/// A unit of systemd.
#[derive(Clone, Debug)]
pub struct SystemdService {
    unit: String,
    user: bool,
    systemctl: Utf8PathBuf,
    journalctl: Utf8PathBuf,
    since: Timestamp,
}

impl SystemdService {
    /// A unit of the system, or of the user's own systemd.
    #[must_use]
    pub fn new(unit: &str, user: bool) -> Self {
        Self {
            unit: unit.to_owned(),
            user,
            systemctl: "systemctl".into(),
            journalctl: "journalctl".into(),
            since: Timestamp::now(),
        }
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<(), ServiceError> {
        let mut command = systemctl(&self.systemctl, self.user);
        command.args(arguments).stdin(Stdio::null());
        let words = [&["systemctl"], arguments].concat().join(" ");
        let output = command
            .output()
            .map_err(|source| ServiceError::Run { command: words.clone(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let printed = String::from_utf8_lossy(&output.stderr);
        Err(ServiceError::Command {
            command: words,
            status: output.status,
            output: printed.trim().to_owned(),
        })
    }

    /// Failures to start that came too fast keep a unit from being started at all. A unit that is
    /// not loaded, as the socket of some packages, has none.
    fn forget_failures(&self) {
        let socket = self.unit.replace(".service", ".socket");
        for unit in [&self.unit, &socket] {
            if let Err(error) = self.systemctl(&["reset-failed", unit]) {
                tracing::debug!(%error, "no failures to forget");
            }
        }
    }
}

impl ServiceManager for SystemdService {
    fn reload(&self) -> Result<(), ServiceError> {
        self.systemctl(&["reload", &self.unit])
    }

    fn restart(&self) -> Result<(), ServiceError> {
        self.forget_failures();
        self.systemctl(&["restart", &self.unit])
    }

    fn reload_units(&self) -> Result<(), ServiceError> {
        self.systemctl(&["daemon-reload"])
    }

    fn is_down(&self) -> bool {
        let mut command = systemctl(&self.systemctl, self.user);
        command.args(["show", &self.unit, "--property=ActiveState", "--value"]);
        let state = command.stdin(Stdio::null()).output().map(|output| output.stdout);
        // A unit that waits to be started once more is `activating`.
        matches!(state.unwrap_or_default().trim_ascii(), b"failed" | b"inactive")
    }

    fn log(&self) -> Vec<String> {
        let mut command = Command::new(&self.journalctl);
        if self.user {
            command.arg("--user");
        }
        // Whole seconds are what every version reads.
        let since = format!("@{}", self.since.as_second());
        command.args(["--unit", &self.unit, "--since", &since, "--output=cat", "--no-pager"]);
        command.arg(format!("--lines={MOST}")).stdin(Stdio::null());
        let printed = command.output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect()
    }
}

/// The program, for the system or a user.
pub(super) fn systemctl(program: &Utf8Path, user: bool) -> Command {
    let mut command = Command::new(program);
    if user {
        command.arg("--user");
    }
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn systemd_is_told_in_the_right_order_and_its_refusal_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let program = |name: &str, text: &str| {
            let path = folder.join(name);
            fs_err::write(&path, format!("#!/bin/sh\necho \"$@\" >> {folder}/said\n{text}\n"))
                .unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(&path, mode).unwrap();
            path
        };
        let service = SystemdService {
            systemctl: program(
                "systemctl",
                "[ $1 != show ] || echo failed; [ $1 != reload ] || { echo no >&2; exit 3; }",
            ),
            journalctl: program("journalctl", "echo one; echo two"),
            ..SystemdService::new("docker.service", false)
        };
        service.restart().unwrap();
        service.reload_units().unwrap();
        let error = service.reload().unwrap_err().to_string();
        assert_eq!(error, "`systemctl reload docker.service` failed (exit status: 3): no");
        assert_eq!(service.log(), ["one", "two"]);
        assert!(service.is_down());
        let said = fs_err::read_to_string(folder.join("said")).unwrap();
        let said: Vec<&str> = said.lines().collect();
        assert_eq!(
            said[..5],
            [
                "reset-failed docker.service",
                "reset-failed docker.socket",
                "restart docker.service",
                "daemon-reload",
                "reload docker.service",
            ]
        );
        assert!(said[5].starts_with("--unit docker.service --since @"));
    }
}
