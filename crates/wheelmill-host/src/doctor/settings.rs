//! What is wanted of a machine, and where to look.

use std::time::Duration;

use camino::Utf8PathBuf;
use wheelmill_engine::program::Programs;
use wheelmill_engine::{EmbeddedSettings, EngineKind};

/// What is wanted of the machine: it decides what is a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// The engine that is to run builds; the best that works when not given.
    pub engine: Option<EngineKind>,
    /// Images are to be built from Dockerfiles, which takes a daemon.
    pub images: bool,
    /// Builds are to have GPUs, and no build without.
    pub gpus: bool,
    /// The volumes that installers leave their wheels in.
    pub volumes: Vec<String>,
}

/// Whether the ways to ask for GPUs are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrialWish {
    /// With an image that is there and is known to have a shell, if there is one.
    #[default]
    AnyImage,
    /// With this image, if it is there: none is ever fetched.
    Image(String),
    /// No container is made.
    Never,
}

/// Where to look, and what for.
#[derive(Clone, Debug)]
pub struct DoctorSettings {
    /// What is wanted.
    pub need: Need,
    /// The folder that stands for `/` where files of the system are read.
    pub root: Utf8PathBuf,
    /// Where the programs lie that are asked.
    pub programs: Programs,
    /// Sockets where Docker may answer, the likeliest first; else why there can be none.
    pub docker: Result<Vec<Utf8PathBuf>, String>,
    /// The same for Podman.
    pub podman: Result<Vec<Utf8PathBuf>, String>,
    /// How long a daemon may take to say that it lives.
    pub patience: Duration,
    /// Folders of CDI specifications.
    pub cdi: Vec<Utf8PathBuf>,
    /// The engine that needs no daemon. It is tried in its folders.
    pub embedded: EmbeddedSettings,
    /// The folders of wheels and of what can be had again, with the variables that choose them.
    pub folders: Vec<(&'static str, Utf8PathBuf)>,
    /// Whether containers are made to see GPUs.
    pub trial: TrialWish,
}
