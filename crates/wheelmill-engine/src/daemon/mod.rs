//! The `docker` and `podman` engines: containers that a daemon runs for us, asked over its API.
//!
//! An [`Environment`](crate::Environment) becomes a Dockerfile and an image; a
//! [`Container`](crate::Container) a container that is removed when it has ended. Both kinds of
//! daemon speak Docker's API; in what they differ is asked once and kept in `traits`. Beside that, they build
//! images of the user's own Dockerfiles ([`ImageBuilder`](crate::ImageBuilder)).

mod administration;
mod base;
mod build;
mod buildkit;
mod connection;
mod container;
mod dockerfile;
mod engine;
mod failure;
mod gpu;
mod image;
mod image_build;
mod kept;
mod libpod;
mod memory;
mod owner;
mod remains;
mod report;
mod settings;
mod terminal;
mod traits;
mod volume;
mod written;

pub use administration::DaemonAdministration;
pub use engine::DaemonEngine;
pub use report::{DaemonReport, DaemonRuntime, RunningContainer};
pub use settings::DaemonSettings;
pub use written::WrittenDockerfile;
