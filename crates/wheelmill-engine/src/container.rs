//! One command in a container, and how it ended.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use wheelmill_model::ByteSize;

use crate::Gpus;

/// One command to run in a prepared environment. What it writes outside its writable mounts is
/// thrown away with it.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// What it is for, as people see it in lists of containers: `torchsort-0.1.10-cu130`. Need not
    /// be unique, or given.
    pub name: String,
    /// The program and its arguments; the program is looked up on the container's `PATH`.
    pub command: Vec<String>,
    /// The whole environment of the command. Nothing of the caller's environment is inherited;
    /// `HOME`, `PATH` and `TMPDIR` are set by the engine where they are not given.
    pub environment: Vec<(String, String)>,
    /// The working directory, a path in the container.
    pub directory: Utf8PathBuf,
    /// What of the host is visible, beside the environment itself.
    pub mounts: Vec<Mount>,
    /// Whether the network is reachable. Without it there is only a loopback device.
    pub network: bool,
    /// What the command and all its children may use together.
    pub limits: Limits,
    /// The GPUs that it sees; none when not given. See [`Engine::look_for_gpus`].
    ///
    /// [`Engine::look_for_gpus`]: crate::Engine::look_for_gpus
    pub gpus: Option<Gpus>,
}

/// A file or folder of the host that is visible in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the host.
    pub source: Utf8PathBuf,
    /// Where it is seen in the container: absolute, made when missing.
    pub target: Utf8PathBuf,
    /// Whether the container may change it.
    pub writable: bool,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all processes together.
    pub memory: Option<ByteSize>,
    /// Processors, in fractions: 1.5.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// Which of the two streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes a container's output while it is written: bytes as they come, not lines.
pub trait OutputSink: Send {
    /// Takes the next piece of a stream.
    fn output(&mut self, stream: Stream, bytes: &[u8]);
}

impl<F: FnMut(Stream, &[u8]) + Send> OutputSink for F {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self(stream, bytes);
    }
}

/// How the memory of a container was watched, and so how much its figures are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryWatch {
    /// A control group: exact peak, hard limit, the kernel's own count of kills.
    Cgroup,
    /// The sum of the processes' proportional set sizes, sampled: the peak may be higher, and a
    /// limit is overshot before it is noticed.
    Sampled,
    /// Not at all.
    None,
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code of the command; 128 plus the signal's number when one killed it.
    pub code: i32,
    /// The most memory that all processes held together, in bytes, as far as it is known.
    pub peak_memory: Option<ByteSize>,
    /// How many processes were killed for memory: by the kernel, or by the engine where it samples.
    pub oom_kills: u64,
    /// How memory was watched.
    pub watch: MemoryWatch,
    /// From start to end.
    pub wall: Duration,
    /// Whether it ended because the caller cancelled it.
    pub cancelled: bool,
}

impl Exit {
    /// Whether the command ended well.
    #[must_use]
    pub const fn success(&self) -> bool {
        self.code == 0 && !self.cancelled
    }
}
