//! What the engine asks of its helper process, and what the helper answers.

use std::fmt;
use std::io;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::mode::Mode;
use crate::image::{UnpackJob, Unpacked};
use crate::{DiskUse, Isolation, Limits, MemoryWatch, Mount};

/// What a helper is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Run a container to its end.
    Run(Box<RunRequest>),
    /// Do something as the root of a user namespace.
    Errand {
        /// How the namespace is entered.
        mode: Mode,
        /// What to do there.
        task: Task,
    },
}

impl Request {
    /// The folders of the host that a container may write to, one a line.
    pub(super) fn writes(&self) -> String {
        let Self::Run(request) = self else { return String::new() };
        let writable = request.mounts.iter().filter(|mount| mount.writable);
        writable.map(|mount| mount.source.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// What only the root of a user namespace can do, since the files belong to its users.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Task {
    /// Remove a folder.
    Remove(Utf8PathBuf),
    /// Measure a folder.
    Measure(Utf8PathBuf),
    /// Unpack a layer of an image.
    Unpack(UnpackJob),
}

/// One container, with every decision taken.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunRequest {
    /// How far it is kept from the host.
    pub(super) isolation: Isolation,
    /// How namespaces are entered, where it has any.
    pub(super) mode: Mode,
    /// The root file system.
    pub(super) root: RootRequest,
    /// An empty folder of the host, for the helper to mount things in. Without namespaces, it holds
    /// links to mounted files.
    pub(super) stage: Utf8PathBuf,
    /// Empty folders of the host that become `/tmp` and `/var/tmp`: on disk, so that large
    /// temporary files of compilers take no memory.
    pub(super) temporary: [Utf8PathBuf; 2],
    /// What else is visible.
    pub(super) mounts: Vec<Mount>,
    /// Folders that are covered by something empty.
    pub(super) hidden: Vec<Utf8PathBuf>,
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// The whole environment.
    pub(super) environment: Vec<(String, String)>,
    /// Where the command starts.
    pub(super) directory: Utf8PathBuf,
    /// Whether the host's network is shared.
    pub(super) network: bool,
    /// Whether its files are a terminal, which becomes that of its session.
    pub(super) terminal: bool,
    /// Whether it installs packages.
    pub(super) packages: bool,
    /// What it may use.
    pub(super) limits: Limits,
}

/// What the root file system is put together from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RootRequest {
    /// Whether the host's own system folders are below all layers.
    pub(super) host: bool,
    /// Unpacked layers, lowest first. Each is the folder of its `/`; what a layer changes in a
    /// folder that is an overlay of its own (`usr`) lies beside it, under that name.
    pub(super) layers: Vec<Utf8PathBuf>,
    /// The folder that holds what the container writes: `root`, and beside it `usr`, `etc`, …. Where
    /// its root cannot be changed, the home of its user.
    pub(super) upper: Utf8PathBuf,
    /// A folder of the same file system for the kernel's use.
    pub(super) work: Utf8PathBuf,
}

/// What a helper answers, one JSON object a line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    /// Empty files and folders that were made to mount things on, as seen in the container.
    Stubs(Vec<Utf8PathBuf>),
    /// It could not be done.
    Failed(Failure),
    /// The command, or the removal, ended.
    Ended(Ended),
    /// The layer was unpacked.
    Unpacked(Unpacked),
    /// The folder was measured.
    Measured(DiskUse),
    /// The layer could not be unpacked: why.
    Refused(String),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) peak_memory: Option<u64>,
    pub(super) oom_kills: u64,
    pub(super) watch: Option<MemoryWatch>,
}

/// An operation of the helper that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) operation: Operation,
    /// The error number of the system.
    pub(super) errno: i32,
}

impl Failure {
    /// The error of the system.
    pub(super) fn source(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// What the helper was doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    /// Reading the request.
    Read,
    /// Entering namespaces.
    Namespaces,
    /// Mapping the user's identity to that of the container's root.
    MapIds,
    /// Setting limits.
    Limits,
    /// Making the folder in which everything is mounted.
    Stage,
    /// Mounting the overlay of a folder.
    Overlay(Utf8PathBuf),
    /// Mounting a system folder, such as `/proc`.
    System(Utf8PathBuf),
    /// Showing something of the host.
    Bind {
        /// What.
        source: Utf8PathBuf,
        /// Where.
        target: Utf8PathBuf,
    },
    /// Making the new root the root.
    Pivot,
    /// Bringing the loopback device up.
    Loopback,
    /// Giving up capabilities.
    Capabilities,
    /// Keeping a process to some files.
    Landlock,
    /// Entering the working directory.
    Directory(Utf8PathBuf),
    /// Executing a program.
    Execute(String),
    /// Removing a folder.
    Remove(Utf8PathBuf),
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => formatter.write_str("read what to do"),
            Self::Namespaces => formatter.write_str("enter new namespaces"),
            Self::MapIds => formatter.write_str("map the user's identity"),
            Self::Limits => formatter.write_str("set limits"),
            Self::Stage => formatter.write_str("make a folder for its root"),
            Self::Overlay(path) => write!(formatter, "mount the overlay of `{path}`"),
            Self::System(path) => write!(formatter, "mount `{path}`"),
            Self::Bind { source, target } => write!(formatter, "show `{source}` as `{target}`"),
            Self::Pivot => formatter.write_str("change the root"),
            Self::Loopback => formatter.write_str("start the loopback device"),
            Self::Capabilities => formatter.write_str("give up capabilities"),
            Self::Landlock => formatter.write_str("be kept to its files by Landlock"),
            Self::Directory(path) => write!(formatter, "enter the directory `{path}`"),
            Self::Execute(program) => write!(formatter, "execute `{program}`"),
            Self::Remove(path) => write!(formatter, "remove `{path}`"),
        }
    }
}

/// Names the operation that an error belongs to.
pub(super) trait During<T> {
    /// Turns an error of the system into a failure of an operation.
    fn during(self, operation: impl FnOnce() -> Operation) -> Result<T, Failure>;
}

impl<T> During<T> for nix::Result<T> {
    fn during(self, operation: impl FnOnce() -> Operation) -> Result<T, Failure> {
        self.map_err(|errno| Failure { operation: operation(), errno: errno as i32 })
    }
}

impl<T> During<T> for io::Result<T> {
    fn during(self, operation: impl FnOnce() -> Operation) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            operation: operation(),
            errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
        })
    }
}
