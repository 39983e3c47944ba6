//! A daemon, its settings and its folders.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use wheelmill_engine::{DaemonAdministration, DaemonReport, EngineKind, GpuWay};

use super::disk;
use super::process;
use super::trial::{self, GpuTrial};
use crate::doctor::settings::{DoctorSettings, TrialWish};
use crate::json::JsonText;
use crate::machine::{
    DaemonKind, DaemonOptions, DaemonProcess, FileSystem, Route, said, settings_file,
};
use crate::plan::{Answer, ask};

/// The socket of the containerd that belongs to the system and not to the daemon.
const SYSTEM_CONTAINERD: &str = "/run/containerd/containerd.sock";

/// Where that one keeps images unless it is told otherwise.
const CONTAINERD_ROOT: &str = "/var/lib/containerd";

/// Whether a daemon is there.
#[derive(Clone, Debug)]
pub enum DaemonState {
    /// It has no socket.
    Absent,
    /// It is on another machine, or it is not told where: why.
    Elsewhere(String),
    /// This user may not ask it.
    Denied(Utf8PathBuf),
    /// There is a socket, and nobody answers: why.
    Silent {
        /// The socket.
        socket: Utf8PathBuf,
        /// What was seen.
        why: String,
    },
    /// It answers.
    Answers(Box<DaemonFacts>),
}

/// What a daemon and its machine are.
#[derive(Clone, Debug)]
pub struct DaemonFacts {
    /// Where it answers.
    pub socket: Utf8PathBuf,
    /// What it says of itself.
    pub report: DaemonReport,
    /// What it was told on its command line, where that can be seen.
    pub options: Option<DaemonOptions>,
    /// Its process, where this user may look at all of it.
    pub process: Option<DaemonProcess>,
    /// Its file of settings.
    pub settings: (Utf8PathBuf, SettingsFile),
    /// Why the daemon's own program would not take that file, where it could be asked.
    pub refused: Option<String>,
    /// Where packets go.
    pub routes: Vec<Route>,
    /// What its folder lies on; else why that cannot be told.
    pub data_root: Result<FileSystem, String>,
    /// The second folder of images, where it has one: that of the system's containerd.
    pub containerd_root: Option<(Utf8PathBuf, Result<FileSystem, String>)>,
    /// Where each volume for wheels lies, if it is there; else why that cannot be told.
    pub volumes: Vec<(String, Result<Option<Utf8PathBuf>, String>)>,
    /// How containers fared that asked for GPUs.
    pub trials: Vec<(GpuWay, GpuTrial)>,
}

/// A daemon's file of settings.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingsFile {
    /// There is none: everything is as it is by default.
    Absent,
    /// It cannot be read: why.
    Unreadable(String),
    /// It is not what the daemon reads: why.
    Broken(String),
    /// What it says.
    Read(Value),
}

impl DaemonState {
    /// The first of some sockets that answers; else what is known of the first that is there.
    pub(super) fn look(
        sockets: &Result<Vec<Utf8PathBuf>, String>,
        settings: &DoctorSettings,
    ) -> Self {
        let sockets = match sockets {
            Ok(sockets) => sockets,
            Err(why) => return Self::Elsewhere(why.clone()),
        };
        let mut best = Self::Absent;
        for socket in sockets {
            match (Self::at(socket, settings), &best) {
                (answers @ Self::Answers(_), _) => return answers,
                (other, Self::Absent) => best = other,
                _ => {}
            }
        }
        best
    }

    fn at(socket: &Utf8Path, settings: &DoctorSettings) -> Self {
        let silent = |why: String| Self::Silent { socket: socket.to_owned(), why };
        match UnixStream::connect(socket) {
            Ok(_) => {}
            Err(error) => {
                return match error.kind() {
                    ErrorKind::NotFound => Self::Absent,
                    ErrorKind::PermissionDenied => Self::Denied(socket.to_owned()),
                    ErrorKind::ConnectionRefused => silent("nobody listens there".to_owned()),
                    _ => silent(error.to_string()),
                };
            }
        }
        let daemon = DaemonAdministration::at(socket);
        if !daemon.answers(settings.patience) {
            return silent(no_answer(settings.patience));
        }
        match DaemonFacts::read(&daemon, settings) {
            Ok(facts) => Self::Answers(Box::new(facts)),
            Err(why) => silent(why),
        }
    }
}

fn no_answer(patience: Duration) -> String {
    format!("who listens there does not answer within {} s", patience.as_secs_f32())
}

impl DaemonFacts {
    fn read(daemon: &DaemonAdministration, settings: &DoctorSettings) -> Result<Self, String> {
        let report = daemon.report().map_err(|error| said(&error))?;
        let id = process::at(daemon.socket());
        let process = id.and_then(DaemonProcess::read);
        let arguments = id.and_then(process::arguments);
        let options = arguments.map(|arguments| DaemonOptions::read(&arguments));
        let known = options.clone().unwrap_or_default();
        let file = settings_file(&known, process.as_ref(), report.is_rootless());
        let place =
            |name: &String| (name.clone(), daemon.volume_place(name).map_err(|error| said(&error)));
        // The folders of Desktop lie in its virtual machine.
        let is_here = DaemonKind::of(&report) != DaemonKind::Desktop;
        let look = |folder: &Utf8Path| match is_here {
            true => disk::look(folder),
            false => Err("it lies in a virtual machine".to_owned()),
        };
        let containerd = containerd_root(&report, &settings.root);
        Ok(Self {
            socket: daemon.socket().to_owned(),
            refused: refused(process.as_ref(), &report.version, &file),
            settings: (file.clone(), SettingsFile::read(&file)),
            routes: Route::all(id),
            data_root: look(&report.root),
            containerd_root: containerd.map(|folder| (folder.clone(), look(&folder))),
            volumes: settings.need.volumes.iter().map(place).collect(),
            trials: Vec::new(),
            options,
            process,
            report,
        })
    }

    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> DaemonKind {
        DaemonKind::of(&self.report)
    }

    /// What drives it.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        if self.report.podman { EngineKind::Podman } else { EngineKind::Docker }
    }

    /// The number of its release: 29.
    #[must_use]
    pub fn release(&self) -> Option<u64> {
        self.report.version.split('.').next()?.parse().ok()
    }

    /// Its settings, where it has some.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&Value> {
        match &self.settings.1 {
            SettingsFile::Read(value) => value.get(key),
            _ => None,
        }
    }

    pub(super) fn try_gpus(&mut self, wish: &TrialWish) {
        self.trials = trial::all(self, wish);
    }
}

impl SettingsFile {
    fn read(file: &Utf8Path) -> Self {
        match fs_err::read(file) {
            Ok(bytes) => match JsonText::parse(&bytes) {
                Ok(text) => Self::Read(text.value()),
                Err(error) => Self::Broken(error.to_string()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Absent,
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

fn refused(process: Option<&DaemonProcess>, version: &str, file: &Utf8Path) -> Option<String> {
    match ask(process, version, file, &fs_err::read(file).ok()?) {
        Answer::Refused(why) => Some(why),
        Answer::Good | Answer::Unasked(_) => None,
    }
}

/// The folder of the system's containerd, where the daemon keeps its images there.
fn containerd_root(report: &DaemonReport, root: &Utf8Path) -> Option<Utf8PathBuf> {
    let snapshots = report.driver_status.iter().any(|(_, value)| value.contains("snapshotter"));
    let of_system = report.containerd.as_deref() == Some(SYSTEM_CONTAINERD);
    (snapshots && of_system).then(|| {
        let text = fs_err::read_to_string(root.join("etc/containerd/config.toml"));
        named_root(&text.unwrap_or_default()).unwrap_or_else(|| CONTAINERD_ROOT.into())
    })
}

/// The key `root` before any table.
fn named_root(text: &str) -> Option<Utf8PathBuf> {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let values = lines.filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "root").then(|| value.trim().trim_matches(['"', '\'']).into())
    });
    values.last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_containerd_keeps_images_where_its_settings_say() {
        let text =
            "version = 2\n#root = '/no'\nroot = \"/mnt/x/containerd\"\n[plugins]\nroot = '/y'\n";
        assert_eq!(named_root(text).unwrap(), "/mnt/x/containerd");
        assert_eq!(named_root("[grpc]\nroot = '/y'\n"), None);

        let status = |value: &str| vec![("driver-type".to_owned(), value.to_owned())];
        let nowhere = Utf8Path::new("/no/such/root");
        let mut report = DaemonReport {
            driver_status: status("io.containerd.snapshotter.v1"),
            containerd: Some(SYSTEM_CONTAINERD.to_owned()),
            ..DaemonReport::default()
        };
        assert_eq!(containerd_root(&report, nowhere).unwrap(), CONTAINERD_ROOT);
        // One of its own has its images in the daemon's folder.
        report.containerd = Some("/run/docker/containerd/containerd.sock".to_owned());
        assert_eq!(containerd_root(&report, nowhere), None);
        report.containerd = Some(SYSTEM_CONTAINERD.to_owned());
        report.driver_status = Vec::new();
        assert_eq!(containerd_root(&report, nowhere), None);
    }

    #[test]
    fn a_file_of_settings_is_read_or_its_mistake_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path()).unwrap().join("daemon.json");
        assert_eq!(SettingsFile::read(&file), SettingsFile::Absent);
        fs_err::write(&file, "{\"debug\": true}").unwrap();
        assert_eq!(
            SettingsFile::read(&file),
            SettingsFile::Read(serde_json::json!({"debug": true}))
        );
        fs_err::write(&file, "{\"debug\": true,\n}").unwrap();
        let SettingsFile::Broken(why) = SettingsFile::read(&file) else { panic!("it is read") };
        assert!(why.starts_with("line 2"), "{why}");
    }
}
