//! Images of the user's own Dockerfiles, and containers of them.

use std::collections::HashMap;

use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::models::{
    BuildInfo, ContainerCreateBody, HostConfig, Mount as DaemonMount, MountType,
};
use bollard::query_parameters::BuildImageOptionsBuilder;
use camino::Utf8Path;
use futures_util::StreamExt as _;

use super::base::{inspect, pieces};
use super::build::exit_in;
use super::connection::Connection;
use super::container::{INSTALLERS_KEEP, Wish, bound, bounds};
use super::failure::{gone, meant, still_there};
use super::gpu;
use super::owner::{self, OWNER};
use super::traits::Traits;
use crate::context::DOCKERFILE;
use crate::{
    BuiltImage, Cancel, EngineError, ImageBuild, ImageContainer, OutputSink, Stream, Volume,
};

/// Builds an image, and passes on what the builder says. The archive of its context is put
/// together below a folder, since it may be larger than memory.
pub(super) fn build(
    connection: &Connection,
    traits: &Traits,
    scratch: &Utf8Path,
    build: &ImageBuild,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<BuiltImage, EngineError> {
    let packed = build.context.pack(scratch)?;
    let arguments: HashMap<&str, &str> =
        build.arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let options = BuildImageOptionsBuilder::default()
        .dockerfile(DOCKERFILE)
        .t(&build.name)
        .buildargs(&arguments)
        .networkmode(if build.network { traits.network } else { "none" })
        .nocache(build.fresh)
        .rm(true)
        .forcerm(true)
        .build();
    let refused = |message: &str| match (meant(connection.kind, message), exit_in(message)) {
        (Some(error), _) => error,
        (None, Some(exit)) => EngineError::Step {
            title: format!("build the image {}", build.name),
            exit,
            tail: message.trim().to_owned(),
        },
        (None, None) => EngineError::Image {
            image: build.name.clone(),
            reason: build.context.with_own_name(message.trim()),
            source: None,
        },
    };
    let before = inspect(connection, &build.name)?.and_then(|image| image.id);
    connection.long(cancel, async |docker| {
        let body = body_try_stream(pieces(packed));
        let mut news = docker.build_image(options, None, Some(body));
        while let Some(piece) = news.next().await {
            match piece {
                Ok(BuildInfo { error_detail: Some(error), .. }) => {
                    still_there(connection, &docker).await?;
                    return Err(refused(&error.message.unwrap_or_default()));
                }
                Ok(BuildInfo { stream: Some(text), .. }) => {
                    output.output(Stream::Stdout, text.as_bytes());
                }
                Ok(_) => {}
                Err(Error::DockerStreamError { error }) => {
                    still_there(connection, &docker).await?;
                    return Err(refused(&error));
                }
                // What the daemon says instead of beginning: the Dockerfile cannot be read.
                Err(Error::DockerResponseServerError { message, .. }) => {
                    return Err(refused(&message));
                }
                Err(error) => return Err(gone(connection, error)),
            }
        }
        Ok(())
    })?;
    let built = inspect(connection, &build.name)?.ok_or_else(|| refused("it was not made"))?;
    let config = built.config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default().into_iter().collect();
    let variables = config.env.unwrap_or_default();
    let pairs = variables.iter().filter_map(|variable| variable.split_once('='));
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let id = built.id.unwrap_or_default();
    if let Some(before) = before.filter(|before| *before != id) {
        owner::remove_if_unnamed(connection, &before)?;
    }
    Ok(BuiltImage { id, labels, environment })
}

/// What the daemon is asked for, to run a command in an image.
pub(super) fn container(traits: &Traits, container: &ImageContainer) -> Wish {
    let ImageContainer {
        image, command, environment, volume, mounts, network, limits, gpus, ..
    } = container;
    let mounts = mounts.iter().map(bound).chain([mounted(volume)]);
    let mut body = ContainerCreateBody {
        entrypoint: Some(command.iter().take(1).cloned().collect()),
        cmd: Some(command.iter().skip(1).cloned().collect()),
        env: Some(environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: container.as_root.then(|| "0:0".to_owned()),
        host_config: Some(HostConfig {
            mounts: Some(mounts.collect()),
            ..bounds(traits, &INSTALLERS_KEEP, *network, limits)
        }),
        ..owned(image)
    };
    gpu::ask(traits, gpus.as_ref(), &mut body);
    Wish { name: container.name.clone(), body, remains: container.remains }
}

/// A container of an image that is known to be ours.
pub(super) fn owned(image: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(HashMap::from([(OWNER.to_owned(), owner::this_process())])),
        ..ContainerCreateBody::default()
    }
}

/// A volume, as daemons mount it.
pub(super) fn mounted(volume: &Volume) -> DaemonMount {
    DaemonMount {
        source: Some(volume.name.clone()),
        target: Some(volume.target.to_string()),
        typ: Some(MountType::VOLUME),
        ..DaemonMount::default()
    }
}
