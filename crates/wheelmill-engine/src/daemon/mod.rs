//! The `docker` and `podman` engines: containers that a daemon runs for us, asked over its API.
//!
//! An [`Environment`](crate::Environment) becomes a Dockerfile and an image; a
//! [`Container`](crate::Container) a container that is removed when it has ended. Both kinds of
//! daemon speak Docker's API; in what they differ is asked once and kept in `traits`. Beside that,
//! they build images of the user's own Dockerfiles ([`ImageBuilder`](crate::ImageBuilder)).

mod administration;
mod connection;
mod container;
mod engine;
mod failure;
mod image;
mod kept;
mod label;
mod libpod;
mod report;
mod settings;
mod sweep;
mod traits;

pub use administration::DaemonAdministration;
pub use container::gpu::GpuWay;
pub use engine::DaemonEngine;
pub use image::written::WrittenDockerfile;
pub use report::{DaemonReport, DaemonRuntime, RunningContainer};
pub use settings::DaemonSettings;
