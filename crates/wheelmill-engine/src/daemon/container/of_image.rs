//! Containers of the user's own images.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, Mount as DaemonMount, MountType};

use super::gpu;
use super::run::{INSTALLERS_KEEP, Wish, bound, bounds};
use crate::daemon::label::{self, OWNER};
use crate::daemon::traits::Traits;
use crate::{ImageContainer, Volume};

/// What the daemon is asked for, to run a command in an image.
pub(in crate::daemon) fn container(traits: &Traits, container: &ImageContainer) -> Wish {
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
    gpu::ask(traits.gpus, gpus.as_ref(), &mut body);
    Wish { name: container.name.clone(), body, remains: container.remains }
}

/// A container of an image that is known to be ours.
pub(in crate::daemon) fn owned(image: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(HashMap::from([(OWNER.to_owned(), label::this_process())])),
        ..ContainerCreateBody::default()
    }
}

/// A volume, as daemons mount it.
pub(in crate::daemon) fn mounted(volume: &Volume) -> DaemonMount {
    DaemonMount {
        source: Some(volume.name.clone()),
        target: Some(volume.target.to_string()),
        typ: Some(MountType::VOLUME),
        ..DaemonMount::default()
    }
}
