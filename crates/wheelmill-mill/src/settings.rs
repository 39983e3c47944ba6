//! What the mill is told about this invocation.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use wheelmill_engine::{Base, EngineKind, Isolation};
use wheelmill_model::{ByteSize, CudaVersion, NetworkSettings, TimeLimit};
use wheelmill_recipe::GpuWish;

/// Settings of one invocation, resolved from flags, environment and files by the caller.
#[derive(Clone, Debug)]
pub struct MillSettings {
    /// The store: wheels, history, logs, work folders.
    pub home: Utf8PathBuf,
    /// What can be fetched or made again: downloads, layers, uv's cache.
    pub cache: Utf8PathBuf,
    /// The program that the engine starts again inside a container's namespaces: the caller's own.
    pub program: Utf8PathBuf,
    /// Folders that no container sees, wherever they lie: the user's home.
    pub hidden: Vec<Utf8PathBuf>,
    /// The version of wheelmill, for the history.
    pub version: String,
    /// What the user typed, for the history.
    pub command_line: Vec<String>,
    /// What of it is neither package nor axis and decides how a cell is built, as
    /// `("--base", "./image.tar")`: the commands that failures suggest have it, too.
    pub options: Vec<(String, String)>,
    /// The project file, for the history.
    pub project: Option<Utf8PathBuf>,
    /// How to reach indexes and registries.
    pub network: NetworkSettings,
    /// What runs containers.
    pub engine: EngineKind,
    /// Where the daemon of that engine may answer, if it is one of a daemon.
    pub sockets: Vec<Utf8PathBuf>,
    /// Folders with CDI specifications, which say how containers get GPUs.
    pub cdi: Vec<Utf8PathBuf>,
    /// Which GPUs builds are to see.
    pub gpus: GpuWish,
    /// How far builds are kept from the machine; as far as it allows when not given.
    pub isolation: Option<Isolation>,
    /// What containers start from, when not from this machine's own root.
    pub bases: Bases,
    /// Memory for a build, and for the compilers of all builds together; as much as is free when not
    /// given.
    pub memory: Option<ByteSize>,
    /// Processors for the compilers of all builds together; all when not given.
    pub cpus: Option<f64>,
    /// How long the build's own command may take; as long as it likes when not given.
    pub timeout: Option<TimeLimit>,
    /// What the cache of compiles may take, of all packages together; without it there is none.
    pub compile_cache: Option<ByteSize>,
    /// Compile everything, whatever an earlier attempt has left.
    pub anew: bool,
    /// Resolve versions anew, though an earlier run did.
    pub refresh: bool,
}

/// The bases that the user chose.
#[derive(Clone, Debug, Default)]
pub struct Bases {
    /// For cells of a CUDA release.
    pub by_cuda: BTreeMap<CudaVersion, Base>,
    /// For all others.
    pub default: Option<Base>,
}

impl Bases {
    pub(crate) fn of(&self, cuda: CudaVersion) -> Option<&Base> {
        self.by_cuda.get(&cuda).or(self.default.as_ref())
    }
}
