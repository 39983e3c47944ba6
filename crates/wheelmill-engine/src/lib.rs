//! What runs a container: the [`Engine`] trait, the `embedded` engine behind it, and images.
//!
//! An engine knows two things. It turns an [`Environment`] (a base and ordered steps) into something
//! that containers can start from, keyed by content, so that equal steps are done once. And it runs
//! one [`Container`] in such an environment, with its output live, its memory measured and its
//! whole process tree gone at the end. Everything about Python, CUDA and wheels is the callers'.

pub mod bootstrap;
mod builder;
mod cancel;
pub mod cdi;
mod container;
mod context;
mod daemon;
mod disk;
mod embedded;
mod engine;
mod environment;
mod error;
mod gpu;
mod hold;
pub mod image;
mod isolation;
mod kept;
pub mod lock;
mod nvidia;
pub mod program;
mod quiet;
pub mod requirement;
mod tail;
mod terminal;

pub use builder::{BuiltImage, ImageBuild, ImageBuilder, ImageContainer, Volume};
pub use cancel::Cancel;
pub use container::{Container, Exit, Limits, MemoryWatch, Mount, OutputSink, Stream};
pub use context::BuildContext;
pub use daemon::{
    DaemonAdministration, DaemonEngine, DaemonReport, DaemonRuntime, DaemonSettings, GpuWay,
    RunningContainer, WrittenDockerfile,
};
pub use disk::{DiskMeter, DiskUse};
pub use embedded::{EmbeddedEngine, EmbeddedSettings, helper_main};
pub use engine::{Engine, EngineKind, Finding, PrepareListener, Prepared, Probe, Severity};
pub use environment::{Base, Environment, Step, StepInput};
pub use error::EngineError;
pub use gpu::{GpuSight, Gpus};
pub use hold::Hold;
pub use isolation::Isolation;
pub use kept::{Keeper, Kept, KeptKind, Removal};
pub use nvidia::{NvidiaDriver, NvidiaGpu};
pub use terminal::Terminal;
