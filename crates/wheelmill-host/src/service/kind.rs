//! Which service a daemon is.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::systemd::systemctl;
use crate::machine::DaemonProcess;

/// Which service a daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// A unit of systemd.
    Systemd {
        /// Its name.
        unit: String,
        /// It is one of the user's own systemd.
        user: bool,
    },
    /// A process that nobody looks after.
    Process,
}

/// The unit of Docker, in all its packages.
const UNIT: &str = "docker.service";

impl ServiceKind {
    /// That of the daemon at a socket.
    pub(crate) fn of(socket: &Utf8Path, rootless: bool) -> Self {
        let Some(main) = main_process(UNIT, rootless) else { return Self::Process };
        match DaemonProcess::at(socket) {
            // Another daemon than that of the unit.
            Some(process) if process.id != main.id => Self::Process,
            _ => Self::Systemd { unit: UNIT.to_owned(), user: rootless },
        }
    }
}

/// The main process of a unit that runs.
pub(crate) fn main_process(unit: &str, user: bool) -> Option<DaemonProcess> {
    let mut command = systemctl("systemctl".into(), user);
    let output = command.args(["show", unit, "--property=MainPID", "--value"]).output().ok()?;
    let id = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
    (id > 0).then(|| DaemonProcess::read(id)).flatten()
}
