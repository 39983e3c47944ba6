//! All facts.

use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::program::{ProgramError, Programs};
use wheelmill_engine::{
    EmbeddedEngine, EmbeddedSettings, Engine as _, EngineKind, NvidiaDriver, Probe,
};

use super::cdi::CdiFile;
use super::daemon::{DaemonFacts, DaemonState};
use super::disk::WorkFolder;
use super::toolkit::Toolkit;
use super::user::User;
use crate::apply::{Unfinished, unfinished};
use crate::doctor::settings::{DoctorSettings, Need, TrialWish};
use crate::dropin::explain;

/// Where drop-ins of Docker's service lie.
const DROP_INS: &str = "etc/systemd/system/docker.service.d";

/// What is so on a machine.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is wanted of it.
    pub need: Need,
    /// Who asks.
    pub user: User,
    /// Docker.
    pub docker: DaemonState,
    /// Podman.
    pub podman: DaemonState,
    /// What the engine without a daemon can do.
    pub embedded: Probe,
    /// NVIDIA's driver and its GPUs.
    pub driver: NvidiaDriver,
    /// NVIDIA's container toolkit.
    pub toolkit: Toolkit,
    /// CDI specifications of NVIDIA's GPUs, and files that are none though they should be.
    pub cdi: Vec<CdiFile>,
    /// Drop-ins that replace the whole command of Docker's service.
    pub drop_ins: Vec<Utf8PathBuf>,
    /// A change of Docker by wheelmill that came to no end.
    pub unfinished: Option<Unfinished>,
    /// What `/etc/os-release` says.
    pub release: String,
    /// wheelmill's own folders.
    pub folders: Vec<WorkFolder>,
    /// The version of Slurm, where it is installed; else why it cannot be told.
    pub slurm: Option<Result<String, String>>,
}

impl Facts {
    /// Looks at a machine. What takes time is done at the same time.
    #[must_use]
    pub fn read(settings: &DoctorSettings) -> Self {
        let DoctorSettings { root, programs, need, .. } = settings;
        let mut facts: Self = thread::scope(|scope| {
            let driver = scope.spawn(|| NvidiaDriver::read(root, programs));
            let docker = scope.spawn(|| DaemonState::look(&settings.docker, settings));
            let podman = scope.spawn(|| DaemonState::look(&settings.podman, settings));
            let slurm = scope.spawn(|| slurm(programs));
            let embedded = probe(&settings.embedded);
            let toolkit = Toolkit::read(programs);
            let done = "what reads does not panic";
            Self {
                need: need.clone(),
                user: User::read(root),
                embedded,
                toolkit,
                cdi: CdiFile::all(&settings.cdi),
                drop_ins: drop_ins(settings),
                unfinished: None,
                release: fs_err::read_to_string(root.join("etc/os-release")).unwrap_or_default(),
                folders: WorkFolder::all(&settings.folders),
                driver: driver.join().expect(done),
                docker: docker.join().expect(done),
                podman: podman.join().expect(done),
                slurm: slurm.join().expect(done),
            }
        });
        facts.unfinished = unfinished_change(&facts.docker, settings);
        if facts.has_gpus_to_give() {
            facts.try_gpus(&settings.trial);
        }
        facts
    }

    /// What would run a build: as `wheelmill build` chooses.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        let answers = |kind| self.daemon(kind).is_some();
        match self.need.engine {
            Some(engine) => engine,
            None if answers(EngineKind::Docker) => EngineKind::Docker,
            None if answers(EngineKind::Podman) => EngineKind::Podman,
            None => EngineKind::Embedded,
        }
    }

    /// A daemon of a kind, if it answers as one.
    #[must_use]
    pub fn daemon(&self, kind: EngineKind) -> Option<&DaemonFacts> {
        let state = match kind {
            EngineKind::Docker => &self.docker,
            EngineKind::Podman => &self.podman,
            EngineKind::Embedded => return None,
        };
        let DaemonState::Answers(daemon) = state else { return None };
        Some(daemon.as_ref()).filter(|daemon| daemon.report.podman == (kind == EngineKind::Podman))
    }

    /// The daemon that would run a build.
    #[must_use]
    pub fn daemon_in_use(&self) -> Option<&DaemonFacts> {
        self.daemon(self.engine())
    }

    /// Whether anything speaks for GPUs in containers: then it is worth to look closer.
    #[must_use]
    pub fn has_gpus_to_give(&self) -> bool {
        let registered = |daemon: &DaemonFacts| daemon.report.runtimes.contains_key("nvidia");
        self.driver.is_there()
            || self.cdi.iter().any(|file| file.specification.is_ok())
            || self.daemon_in_use().is_some_and(registered)
    }

    fn try_gpus(&mut self, wish: &TrialWish) {
        let state = match self.engine() {
            EngineKind::Docker => &mut self.docker,
            EngineKind::Podman => &mut self.podman,
            EngineKind::Embedded => return,
        };
        if let DaemonState::Answers(daemon) = state {
            daemon.try_gpus(wish);
        }
    }
}

/// Beside the settings of a daemon that answers, else wherever a socket may lead to.
fn unfinished_change(docker: &DaemonState, settings: &DoctorSettings) -> Option<Unfinished> {
    match docker {
        DaemonState::Answers(daemon) => unfinished(&daemon.socket, Some(&daemon.settings.0)),
        _ => settings.docker.iter().flatten().find_map(|socket| unfinished(socket, None)),
    }
}

/// What the engine without a daemon can do. Its folders are removed again, if they were not there:
/// who only looks leaves nothing behind.
fn probe(settings: &EmbeddedSettings) -> Probe {
    let folders = [&settings.layers, &settings.scratch].into_iter();
    let mut missing: Vec<&Utf8Path> =
        folders.flat_map(|folder| folder.ancestors()).filter(|folder| !folder.exists()).collect();
    let probe = EmbeddedEngine::new(settings.clone()).probe();
    // The deepest first; one that somebody else uses by now is not empty, and stays.
    missing.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    missing.into_iter().for_each(|folder| drop(fs_err::remove_dir(folder)));
    probe
}

fn slurm(programs: &Programs) -> Option<Result<String, String>> {
    let asked = ["sinfo", "scontrol"].map(|program| programs.ask(program, &["--version"]));
    let mut asked =
        asked.into_iter().filter(|asked| !matches!(asked, Err(ProgramError::Missing(_))));
    Some(asked.next()?.map(|text| text.trim().to_owned()).map_err(|error| error.to_string()))
}

fn drop_ins(settings: &DoctorSettings) -> Vec<Utf8PathBuf> {
    let files = settings.root.join(DROP_INS).read_dir_utf8().into_iter().flatten().flatten();
    let mut files: Vec<Utf8PathBuf> = files
        .map(|entry| entry.path().to_owned())
        .filter(|file| file.extension() == Some("conf"))
        .filter(|file| fs_err::read_to_string(file).is_ok_and(|text| explain(&text).is_some()))
        .collect();
    files.sort();
    files
}
