//! The trait that every engine implements.

use std::fmt;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use wheelmill_model::Digest;

use crate::{
    Base, Cancel, Container, EngineError, Environment, Exit, GpuSight, Gpus, Hold, ImageBuilder,
    Isolation, OutputSink, Step, Terminal,
};

/// The engines there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Our own, with no daemon and no root.
    Embedded,
    /// Docker's daemon.
    Docker,
    /// Podman, by its service.
    Podman,
}

impl EngineKind {
    /// The word for it on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Embedded, Self::Docker, Self::Podman]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                format!("`{text}` is not an engine; there are `embedded`, `docker` and `podman`")
            })
    }
}

/// What an engine can do on this machine, found by trying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The engine.
    pub engine: EngineKind,
    /// How it works here, in a few words: `as root, on overlays, memory by control group`.
    pub summary: String,
    /// How far containers are kept from the machine; none when the engine cannot run.
    pub isolation: Option<Isolation>,
    /// What is worth saying, worst first. With a `Severity::Problem` the engine cannot run here.
    pub findings: Vec<Finding>,
}

/// One thing that a probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What to do about it, when something can be done.
    pub fix: Option<String>,
}

/// How bad a finding is; worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The engine cannot run.
    Problem,
    /// It runs, but with less isolation or less exact figures.
    Warning,
    /// Good to know.
    Note,
}

/// An environment that containers can start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The key of the last step: equal digests, equal environments.
    pub digest: Digest,
    /// What the engine needs to find it again: layer folders (lowest first), or an image's name.
    pub layers: Vec<Utf8PathBuf>,
    /// [`Environment::folder`].
    pub folder: Utf8PathBuf,
    /// Variables that the base sets, such as the `PATH` of an image with its own compiler. What a
    /// step or container sets itself counts more.
    pub environment: Vec<(String, String)>,
    /// Keeps all of it from being removed.
    pub hold: Hold,
}

/// Told what an engine does while it prepares an environment.
pub trait PrepareListener: Send {
    /// A step begins, or is found to be done (`cached`). Steps are numbered from 0 of `total`.
    fn step(&mut self, index: usize, total: usize, step: &Step, cached: bool);
    /// Somebody else, in this process or another, makes a step or an environment: it is waited for.
    fn waiting(&mut self, what: &str);
    /// The base image is on its way: bytes so far, of how many when known.
    fn base_progress(&mut self, base: &Base, done: u64, total: Option<u64>);
    /// Output of the running step.
    fn output(&mut self) -> &mut dyn OutputSink;
}

/// What runs containers.
///
/// Calls block until done, or until `cancel` is raised: then everything that the call started is
/// dead before it returns, within a second.
pub trait Engine: Send + Sync {
    /// Which engine this is.
    fn kind(&self) -> EngineKind;

    /// Finds out what works on this machine, by doing it; changes nothing.
    fn probe(&self) -> Probe;

    /// This engine as one that builds images from Dockerfiles, if it can.
    fn builder(&self) -> Option<&dyn ImageBuilder> {
        None
    }

    /// The base with its content pinned: a tag becomes a digest (this asks the registry), a file
    /// its digest. What is returned gives the same bytes on every later day.
    ///
    /// # Errors
    /// The registry or the file cannot be read.
    fn pin(&self, base: &Base) -> Result<Base, EngineError>;

    /// The variables that a pinned base sets, such as `CUDA_VERSION`: what its configuration says,
    /// without any of its layers. None for the host and for a plain tar.
    ///
    /// # Errors
    /// The registry or the file cannot be read.
    fn variables(&self, base: &Base) -> Result<Vec<(String, String)>, EngineError>;

    /// The digest that `prepare` would give, without doing anything.
    ///
    /// # Errors
    /// The base is not pinned.
    fn digest(&self, environment: &Environment) -> Result<Digest, EngineError>;

    /// Makes an environment, taking every step that was done before, by any process, from where it
    /// is kept. Two who want the same step, in one process or in two, do it once.
    ///
    /// # Errors
    /// A step failed, the base cannot be had, the disk is full, or the caller cancelled.
    fn prepare(
        &self,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError>;

    /// Asks a container which GPUs it has, before hours of work: a wish for some can be granted
    /// without a word, and without a GPU. The variables are those that the wish goes with, such as
    /// `NVIDIA_REQUIRE_CUDA`.
    ///
    /// # Errors
    /// The container could not be started for another reason.
    fn look_for_gpus(
        &self,
        prepared: &Prepared,
        gpus: &Gpus,
        variables: &[(String, String)],
        cancel: &Cancel,
    ) -> Result<GpuSight, EngineError>;

    /// Runs one command to its end.
    ///
    /// # Errors
    /// The container could not be started. A command that fails is not an error: see [`Exit`].
    fn run(
        &self,
        prepared: &Prepared,
        container: &Container,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError>;

    /// Ends the containers that have something below a folder mounted to write there, whoever
    /// started them, and waits until none of their processes is left. The caller has the folder to
    /// himself by a lock, so these are of programs that are gone. The last part of the folder's path
    /// must be a name that no other has.
    ///
    /// # Errors
    /// A process does not end, the engine cannot be asked, or the caller cancelled: then the folder
    /// must not be used.
    fn vacate(&self, folder: &Utf8Path, cancel: &Cancel) -> Result<(), EngineError>;

    /// Runs one command at a terminal, to its end. The caller has put it into raw mode.
    ///
    /// # Errors
    /// The container could not be started, or the terminal is gone.
    fn run_at(
        &self,
        prepared: &Prepared,
        container: &Container,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError>;
}
