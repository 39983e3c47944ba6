//! The machine as a whole, as a plan needs it.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheelmill_engine::{DaemonAdministration, DaemonReport, EngineError};

use super::{BridgeKeeper, DaemonOptions, DaemonProcess, FileSystem, Route};
use crate::service::{ServiceKind, main_process};

/// Where `dockerd` looks for its settings when it is told nothing.
const SETTINGS: &str = "/etc/docker/daemon.json";

/// Which daemon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonKind {
    /// Docker, as root.
    Docker,
    /// Docker as a user.
    Rootless,
    /// Docker Desktop, in a virtual machine of its own.
    Desktop,
    /// Docker from a snap.
    Snap,
    /// Podman.
    Podman,
}

impl DaemonKind {
    /// What a report tells.
    #[must_use]
    pub fn of(report: &DaemonReport) -> Self {
        if report.podman {
            Self::Podman
        } else if report.operating_system.contains("Docker Desktop") {
            Self::Desktop
        } else if report.root.starts_with("/var/snap") {
            Self::Snap
        } else if report.is_rootless() {
            Self::Rootless
        } else {
            Self::Docker
        }
    }
}

/// What the machine and its daemon are.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the daemon says.
    pub report: DaemonReport,
    /// Its process, where it is one of this machine that we may look at.
    pub process: Option<DaemonProcess>,
    /// What it was told on its command line.
    pub options: DaemonOptions,
    /// Its file of settings, which need not exist.
    pub settings: Utf8PathBuf,
    /// What starts and stops it.
    pub service: ServiceKind,
    /// Where packets go.
    pub routes: Vec<Route>,
    /// What would keep a bridge.
    pub bridge_keeper: Option<BridgeKeeper>,
    /// The file system of the folder that images are wished to lie in.
    pub data_root: Option<FileSystem>,
    /// The file system of the folder that images lie in, where this user can tell.
    pub present_root: Option<FileSystem>,
    /// What `/etc/os-release` says; empty where there is none.
    pub release: String,
    /// The folder that stands for `/` where system files are written.
    pub root: Utf8PathBuf,
}

/// The machine cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// No daemon answers.
    #[error("no Docker daemon answers: {why}")]
    Daemon {
        /// What the engine says of it, without what that says of containers.
        why: String,
    },
    /// A folder cannot be looked at.
    #[error("could not look at the file system of `{path}`")]
    FileSystem {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What an engine's error says of the daemon: the rest of it is about containers.
pub(crate) fn said(error: &EngineError) -> String {
    match error {
        EngineError::Unable { why, .. } => why.clone(),
        EngineError::Daemon { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

impl Machine {
    /// Looks at a machine, and at the folder that images shall lie in if one is wished for.
    ///
    /// # Errors
    /// The daemon does not answer, or a folder cannot be looked at.
    pub fn look(
        daemon: &DaemonAdministration,
        data_root: Option<&Utf8Path>,
    ) -> Result<Self, MachineError> {
        let report = daemon.report();
        let report = report.map_err(|error| MachineError::Daemon { why: said(&error) })?;
        let service = ServiceKind::of(daemon.socket(), report.is_rootless());
        let process = match &service {
            ServiceKind::Systemd { unit, user } => main_process(unit, *user),
            ServiceKind::Process => DaemonProcess::at(daemon.socket()),
        };
        let options =
            DaemonOptions::read(process.as_ref().map_or(&[], |process| &process.arguments));
        let settings = settings_file(&options, process.as_ref(), report.is_rootless());
        let look = |path: &Utf8Path| {
            FileSystem::of(path)
                .map_err(|source| MachineError::FileSystem { path: path.to_owned(), source })
        };
        Ok(Self {
            routes: Route::all(process.as_ref().map(|process| process.id)),
            data_root: data_root.map(look).transpose()?,
            present_root: FileSystem::of(&report.root).ok(),
            bridge_keeper: BridgeKeeper::running(),
            release: fs_err::read_to_string("/etc/os-release").unwrap_or_default(),
            root: "/".into(),
            report,
            process,
            options,
            settings,
            service,
        })
    }
}

/// The file of settings of a daemon.
pub(crate) fn settings_file(
    options: &DaemonOptions,
    process: Option<&DaemonProcess>,
    rootless: bool,
) -> Utf8PathBuf {
    if let Some(named) = options.settings_file() {
        return process.map_or_else(|| named.to_owned(), |process| process.folder.join(named));
    }
    let variable = |name: &str| process.and_then(|process| process.variable(name));
    let users = || {
        let folder = variable("XDG_CONFIG_HOME").map(Utf8PathBuf::from);
        folder.or_else(|| Some(Utf8Path::new(variable("HOME")?).join(".config")))
    };
    match rootless.then(users).flatten() {
        Some(folder) => folder.join("docker/daemon.json"),
        None => SETTINGS.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_known_by_what_it_says() {
        let of = |change: fn(&mut DaemonReport)| {
            let mut report = DaemonReport::default();
            change(&mut report);
            DaemonKind::of(&report)
        };
        assert_eq!(of(|_| {}), DaemonKind::Docker);
        assert_eq!(of(|report| report.podman = true), DaemonKind::Podman);
        assert_eq!(
            of(|report| report.operating_system = "Docker Desktop".to_owned()),
            DaemonKind::Desktop
        );
        assert_eq!(of(|report| report.root = "/var/snap/docker/common".into()), DaemonKind::Snap);
        assert_eq!(
            of(|report| report.security_options = vec!["name=rootless".to_owned()]),
            DaemonKind::Rootless
        );
    }

    #[test]
    fn the_file_of_settings_is_named_or_in_its_usual_place() {
        let process = DaemonProcess {
            id: 1,
            program: "/usr/bin/dockerd".into(),
            arguments: Vec::new(),
            folder: "/srv".into(),
            environment: vec![("HOME".to_owned(), "/home/u".to_owned())],
            log: None,
        };
        let file = |words: &[&str], rootless| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            settings_file(&DaemonOptions::read(&words), Some(&process), rootless)
        };
        assert_eq!(file(&[], false), "/etc/docker/daemon.json");
        assert_eq!(file(&["--config-file", "d.json"], false), "/srv/d.json");
        assert_eq!(file(&[], true), "/home/u/.config/docker/daemon.json");
    }
}
