//! Images of the user's own Dockerfiles.

use std::collections::HashMap;
use std::fs::File;

use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::models::{BuildInfo, ImageInspect};
use bollard::query_parameters::BuildImageOptionsBuilder;
use camino::Utf8Path;
use futures_util::StreamExt as _;

use super::base::{inspect, pieces};
use super::buildkit::{self, Led};
use super::step::exit_in;
use crate::context::DOCKERFILE;
use crate::daemon::connection::Connection;
use crate::daemon::failure::{gone, meant, still_there};
use crate::daemon::sweep;
use crate::daemon::traits::Traits;
use crate::{BuiltImage, Cancel, EngineError, ImageBuild, OutputSink, Stream};

/// An image that is to be built.
pub(in crate::daemon) struct UserBuild<'a> {
    pub(in crate::daemon) connection: &'a Connection,
    pub(in crate::daemon) traits: &'a Traits,
    pub(in crate::daemon) build: &'a ImageBuild,
    /// A folder in which the archive of the context is put together: it may be larger than memory.
    pub(in crate::daemon) scratch: &'a Utf8Path,
}

impl UserBuild<'_> {
    /// Builds it, and passes on what the builder says.
    pub(in crate::daemon) fn run(
        &self,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<BuiltImage, EngineError> {
        let name = &self.build.name;
        let packed = self.build.context.pack(self.scratch)?;
        let before = inspect(self.connection, name)?.and_then(|image| image.id);
        if !self.traits.podman && buildkit::is_needed(&self.build.context.dockerfile()) {
            self.with_buildkit(packed, output, cancel)?;
        } else {
            self.with_classic_builder(packed, output, cancel)?;
        }
        let built =
            inspect(self.connection, name)?.ok_or_else(|| self.refused("it is not there"))?;
        let image = described(built);
        if let Some(before) = before.filter(|before| *before != image.id) {
            sweep::remove_if_unnamed(self.connection, &before)?;
        }
        Ok(image)
    }

    fn network(&self) -> &'static str {
        if self.build.network { self.traits.network } else { "none" }
    }

    fn with_buildkit(
        &self,
        packed: File,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let Self { connection, build, .. } = *self;
        match buildkit::build(connection, build, packed, self.network(), output, cancel)? {
            Led::Built => Ok(()),
            Led::Failed(message) => {
                connection.ask(async |docker| docker.ping().await)?;
                Err(self.refused(&message))
            }
            Led::NoClient => Err(self.refused(
                "its Dockerfile requires BuildKit, which Docker's client leads with its part buildx, and \
                 that is not installed",
            )),
        }
    }

    fn with_classic_builder(
        &self,
        packed: File,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let Self { connection, build, .. } = *self;
        let arguments: HashMap<&str, &str> =
            build.arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let options = BuildImageOptionsBuilder::default()
            .dockerfile(DOCKERFILE)
            .t(&build.name)
            .buildargs(&arguments)
            .networkmode(self.network())
            .nocache(build.fresh)
            .rm(true)
            .forcerm(true)
            .build();
        connection.long(cancel, async |docker| {
            let body = body_try_stream(pieces(packed));
            let mut news = docker.build_image(options, None, Some(body));
            while let Some(piece) = news.next().await {
                match piece {
                    Ok(BuildInfo { error_detail: Some(error), .. }) => {
                        still_there(connection, &docker).await?;
                        return Err(self.refused(&error.message.unwrap_or_default()));
                    }
                    Ok(BuildInfo { stream: Some(text), .. }) => {
                        output.output(Stream::Stdout, text.as_bytes());
                    }
                    Ok(_) => {}
                    Err(Error::DockerStreamError { error }) => {
                        still_there(connection, &docker).await?;
                        return Err(self.refused(&error));
                    }
                    // What the daemon says instead of beginning: the Dockerfile cannot be read.
                    Err(Error::DockerResponseServerError { message, .. }) => {
                        return Err(self.refused(&message));
                    }
                    Err(error) => return Err(gone(connection, error)),
                }
            }
            Ok(())
        })
    }

    /// What a builder's last message means.
    fn refused(&self, message: &str) -> EngineError {
        let name = &self.build.name;
        if let Some(error) = meant(self.connection.kind, message) {
            return error;
        }
        match exit_in(message) {
            Some(exit) => EngineError::Step {
                title: format!("build the image {name}"),
                exit,
                tail: message.trim().to_owned(),
            },
            None => EngineError::Build {
                image: name.clone(),
                reason: self.build.context.with_own_name(message.trim()),
            },
        }
    }
}

/// What an image is, as its builders are told.
fn described(image: ImageInspect) -> BuiltImage {
    let config = image.config.unwrap_or_default();
    let variables = config.env.unwrap_or_default();
    let pairs = variables.iter().filter_map(|variable| variable.split_once('='));
    BuiltImage {
        id: image.id.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        environment: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}
