//! What a failure is called, and what is said about it.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use wheelmill_model::Phase;

/// Why a cell failed. The words are stable: scripts and the history rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Processes were killed for memory.
    OutOfMemory,
    /// The CUDA toolkit is not of the release that torch was built with, or not of one release.
    CudaTorchMismatch,
    /// The build imports torch and there is none.
    MissingTorch,
    /// The compiler does not know a wished GPU architecture.
    UnknownArchitecture,
    /// nvcc refuses the host compiler's version.
    HostCompilerTooNew,
    /// A compiler, another program, a header or a library is not there.
    MissingTool,
    /// A Python module that the build imports is not there.
    MissingModule,
    /// No space is left.
    DiskFull,
    /// The network, or the index behind it, cannot be reached.
    NoNetwork,
    /// The build tried to reach the network while that is off.
    NetworkWhileCompiling,
    /// The build took longer than it may.
    TimedOut,
    /// The build asks for a GPU, and containers get none.
    NoGpu,
    /// The engine, or the daemon behind it, went away or cannot start containers.
    EngineGone,
    /// The image or file that containers start from does not exist or cannot be used.
    BaseUnusable,
    /// The index knows no such package or version.
    UnknownPackage,
    /// Requirements contradict each other.
    Unsolvable,
    /// What arrived is not what was promised.
    HashMismatch,
    /// A patch of the recipe does not apply.
    PatchFailed,
    /// The build ended well and left no wheel.
    NoWheel,
    /// The image holds no installer, or several.
    NoInstaller,
    /// What an image is built from changed after the build was planned.
    ContextChanged,
    /// The build left more than one wheel.
    SeveralWheels,
    /// The wheel was built, and could not be repaired, labelled or pinned.
    RepairFailed,
    /// The wheel is not good.
    VerdictFailed,
    /// The source does not compile.
    CompileError,
    /// The build failed in a way that has no name here.
    BuildFailed,
}

impl Cause {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfMemory => "out-of-memory",
            Self::CudaTorchMismatch => "cuda-torch-mismatch",
            Self::MissingTorch => "missing-torch",
            Self::UnknownArchitecture => "unknown-architecture",
            Self::HostCompilerTooNew => "host-compiler-too-new",
            Self::MissingTool => "missing-tool",
            Self::MissingModule => "missing-module",
            Self::DiskFull => "disk-full",
            Self::NoNetwork => "no-network",
            Self::NetworkWhileCompiling => "network-while-compiling",
            Self::TimedOut => "timed-out",
            Self::NoGpu => "no-gpu",
            Self::EngineGone => "engine-gone",
            Self::BaseUnusable => "base-unusable",
            Self::UnknownPackage => "unknown-package",
            Self::Unsolvable => "unsolvable",
            Self::HashMismatch => "hash-mismatch",
            Self::PatchFailed => "patch-failed",
            Self::NoWheel => "no-wheel",
            Self::NoInstaller => "no-installer",
            Self::ContextChanged => "context-changed",
            Self::SeveralWheels => "several-wheels",
            Self::RepairFailed => "repair-failed",
            Self::VerdictFailed => "verdict-failed",
            Self::CompileError => "compile-error",
            Self::BuildFailed => "build-failed",
        }
    }
}

/// Why a cell failed, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// The cause.
    pub cause: Cause,
    /// The phase in which it happened.
    pub phase: Phase,
    /// What happened, in one or two sentences.
    pub message: String,
    /// What to do, the likeliest first; commands stand alone between backquotes.
    pub fixes: Vec<String>,
    /// The lines of the log that tell, in their order.
    pub lines: Vec<String>,
    /// The whole log.
    pub log: Option<Utf8PathBuf>,
}
