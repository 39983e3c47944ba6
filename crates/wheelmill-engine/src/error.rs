//! What can go wrong in an engine.

use camino::Utf8PathBuf;

/// A failure of an engine, not of the command that it ran.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A container could not be started.
    #[error("could not start a container: {step}")]
    Start {
        /// What was being done: `mount the overlay`.
        step: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A step of an environment ended with an error of its own.
    #[error("the step `{title}` failed with exit code {}", exit.code)]
    Step {
        /// The step's title.
        title: String,
        /// How it ended.
        exit: crate::Exit,
        /// The last lines of its output.
        tail: String,
    },
    /// An image could not be fetched or read.
    #[error("could not use the image `{image}`: {reason}")]
    Image {
        /// Its name or file.
        image: String,
        /// What is wrong.
        reason: String,
        /// The failure below, when there is one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An image could not be built: its Dockerfile cannot be read, or an instruction other than a
    /// command failed.
    #[error("could not build the image `{image}`: {reason}")]
    Build {
        /// Its name.
        image: String,
        /// The builder's words.
        reason: String,
    },
    /// The machine allows something of what is asked for, but not this.
    #[error("{what} cannot be had on this machine: {why}")]
    Unable {
        /// What is asked for.
        what: String,
        /// What is missing for it.
        why: String,
        /// What to do about it.
        fix: String,
    },
    /// The daemon refused something.
    #[error("{kind} refused: {message}")]
    Daemon {
        /// Which daemon.
        kind: crate::EngineKind,
        /// In its own words.
        message: String,
    },
    /// The disk that a daemon uses is full.
    #[error("the disk on which {kind} keeps images and containers is full")]
    DaemonDiskFull {
        /// Which daemon.
        kind: crate::EngineKind,
    },
    /// The registry of an image cannot be reached, or must not be.
    #[error("could not use the image `{image}`: {reason}")]
    Unreachable {
        /// The image's name.
        image: String,
        /// What is wrong; names the registry.
        reason: String,
        /// The failure below; none where the settings forbid to reach for it.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A base has no pinned content.
    #[error("the base `{0}` is not pinned to its content")]
    NotPinned(String),
    /// A file or folder of the engine's own could not be used.
    #[error("could not {action} `{path}`")]
    Files {
        /// `create`, `remove`, …
        action: &'static str,
        /// What.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What an image is built from is not any more what it was when the build was planned.
    #[error("`{path}` {how} after the build was planned")]
    ContextChanged {
        /// What.
        path: Utf8PathBuf,
        /// What became of it: `was changed`, `was removed`, …
        how: &'static str,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}
