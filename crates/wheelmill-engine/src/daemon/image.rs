//! Images of the user's own Dockerfiles, and containers of them.

use std::collections::HashMap;
use std::io::Seek as _;

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
use super::container::{bound, bounds};
use super::failure::gone;
use super::owner::{self, OWNER};
use super::traits::{NVIDIA, Traits};
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
    let packed = pack(build, scratch).map_err(|source| EngineError::Start {
        step: format!("pack what the image `{}` is built from", build.name),
        source,
    })?;
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
    let refused = |message: &str| match exit_in(message) {
        Some(exit) => EngineError::Step {
            title: format!("build the image {}", build.name),
            exit,
            tail: message.trim().to_owned(),
        },
        None => EngineError::Image {
            image: build.name.clone(),
            reason: message.trim().to_owned(),
            source: None,
        },
    };
    connection.long(cancel, async |docker| {
        let body = body_try_stream(pieces(packed));
        let mut news = docker.build_image(options, None, Some(body));
        while let Some(piece) = news.next().await {
            match piece {
                Ok(BuildInfo { error_detail: Some(error), .. }) => {
                    return Err(refused(&error.message.unwrap_or_default()));
                }
                Ok(BuildInfo { stream: Some(text), .. }) => {
                    output.output(Stream::Stdout, text.as_bytes());
                }
                Ok(_) => {}
                Err(Error::DockerStreamError { error }) => return Err(refused(&error)),
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
    let labels = built.config.and_then(|config| config.labels).unwrap_or_default();
    Ok(BuiltImage { id: built.id.unwrap_or_default(), labels: labels.into_iter().collect() })
}

fn pack(build: &ImageBuild, scratch: &Utf8Path) -> std::io::Result<std::fs::File> {
    fs_err::create_dir_all(scratch)?;
    let mut file = tempfile::tempfile_in(scratch)?;
    build.context.write(std::io::BufWriter::new(&mut file))?;
    file.rewind()?;
    Ok(file)
}

/// What the daemon is asked for, to run a command in an image.
pub(super) fn container(traits: &Traits, container: &ImageContainer) -> ContainerCreateBody {
    let ImageContainer { image, command, environment, volume, mounts, network, limits } = container;
    let mounts = mounts.iter().map(bound).chain([mounted(volume)]);
    ContainerCreateBody {
        entrypoint: Some(command.iter().take(1).cloned().collect()),
        cmd: Some(command.iter().skip(1).cloned().collect()),
        env: Some(environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        host_config: Some(HostConfig {
            mounts: Some(mounts.collect()),
            runtime: traits.nvidia.then(|| NVIDIA.to_owned()),
            ..bounds(traits, *network, limits)
        }),
        ..owned(image)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn the_runtime_for_gpus_is_asked_for_where_there_is_one() {
        let wish = |nvidia| {
            let traits = Traits {
                version: String::new(),
                podman: false,
                rootless: false,
                network: "bridge",
                selinux: false,
                memory_limit: true,
                nvidia,
            };
            let wanted = ImageContainer {
                image: "pytorch90builder".to_owned(),
                command: ["sh", "-c", "true"].map(str::to_owned).to_vec(),
                environment: Vec::new(),
                volume: Volume { name: "build-vol".to_owned(), target: "/builds".into() },
                mounts: Vec::new(),
                network: true,
                limits: Limits::default(),
            };
            let wish = container(&traits, &wanted);
            assert_eq!(wish.user, None, "the image's own");
            wish.host_config.unwrap()
        };
        assert_eq!(wish(false).runtime, None);
        let with = wish(true);
        assert_eq!(with.runtime.as_deref(), Some("nvidia"));
        assert_eq!(with.privileged, None);
        assert_eq!(with.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!(with.network_mode.as_deref(), Some("bridge"));
    }
}
