//! Removes what programs that are gone have left with a daemon.

use std::collections::HashMap;
use std::thread;
use std::time::Instant;

use bollard::errors::Error;
use bollard::models::{ContainerSummary, ImageSummary};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptions,
};
use camino::Utf8Path;
use wheelmill_model::Digest;

use super::connection::Connection;
use super::failure::is_missing;
use super::image::base;
use super::label::{OWNER, STEP, WRITES, is_gone, writes_in};
use super::libpod;
use crate::{Cancel, EngineError, EngineKind, quiet};

/// Removes containers, and parts of images, of processes that are gone.
pub(super) fn sweep(connection: &Connection) -> Result<(), EngineError> {
    sweep_containers(connection)?;
    if connection.kind == EngineKind::Podman {
        sweep_working_containers(connection)?;
    }
    for (image, owner) in unnamed(connection, OWNER)? {
        if is_gone(&owner) {
            remove_image(connection, &image)?;
        }
    }
    Ok(())
}

/// Removes the images without a name that this process made for a step.
pub(super) fn remove_unnamed(connection: &Connection, step: &Digest) -> Result<(), EngineError> {
    for (image, _) in unnamed(connection, &format!("{STEP}={step}"))? {
        remove_image(connection, &image)?;
    }
    Ok(())
}

/// The images without a name that have a label, each with its owner.
fn unnamed(connection: &Connection, label: &str) -> Result<Vec<(String, String)>, EngineError> {
    let filters = HashMap::from([("label", vec![label]), ("dangling", vec!["true"])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let found = connection.ask(async |docker| docker.list_images(Some(options)).await)?;
    let owned = |image: ImageSummary| Some((image.id, image.labels.get(OWNER)?.clone()));
    Ok(found.into_iter().filter_map(owned).collect())
}

/// Removes an image that has lost its last name to a newer one, unless somebody uses it.
pub(super) fn remove_if_unnamed(connection: &Connection, image: &str) -> Result<(), EngineError> {
    let found = base::inspect(connection, image)?;
    match found.is_some_and(|image| image.repo_tags.unwrap_or_default().is_empty()) {
        true => remove_image(connection, image),
        false => Ok(()),
    }
}

/// Removes an image that nothing is built upon; of others, nothing.
fn remove_image(connection: &Connection, image: &str) -> Result<(), EngineError> {
    connection.ask(async |docker| {
        match docker.remove_image(image, None::<RemoveImageOptions>, None).await {
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    })
}

/// Removes the containers that may write in a folder, whosever they are, and waits until the daemon
/// has none of them any more.
pub(super) fn vacate(
    connection: &Connection,
    folder: &Utf8Path,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let begun = Instant::now();
    loop {
        let found = labelled(connection, WRITES)?;
        let inside = |(_, writes): &(String, String)| writes_in(writes, folder);
        let Some((id, _)) = found.into_iter().find(inside) else { return Ok(()) };
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        if begun.elapsed() > quiet::PATIENCE {
            let kind = connection.kind;
            let why = format!("{kind} does not end the container {id} of it");
            return Err(quiet::busy(folder, &why, format!("end it: `{kind} rm --force {id}`")));
        }
        tracing::info!(container = %id, "removing what still works in {folder}");
        remove(connection, &id)?;
        // Where somebody else removes it, it is there a moment longer.
        thread::sleep(quiet::LOOK_AGAIN);
    }
}

/// The containers that have a label, running or not, each with its value.
fn labelled(connection: &Connection, label: &str) -> Result<Vec<(String, String)>, EngineError> {
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let found = connection.ask(async |docker| docker.list_containers(Some(options)).await)?;
    let pair =
        |container: ContainerSummary| Some((container.id?, container.labels?.remove(label)?));
    Ok(found.into_iter().filter_map(pair).collect())
}

fn sweep_containers(connection: &Connection) -> Result<(), EngineError> {
    for (id, owner) in labelled(connection, OWNER)? {
        if is_gone(&owner) {
            tracing::info!(container = %id, "removing what a program that is gone has left");
            remove(connection, &id)?;
        }
    }
    Ok(())
}

/// Removes what Podman's builder worked in when the service was killed: no list of Docker's shows it.
/// It bears no label, but it stands on an image without a name that bears ours.
fn sweep_working_containers(connection: &Connection) -> Result<(), EngineError> {
    let filters = HashMap::from([("label", vec![OWNER])]);
    let options = ListImagesOptionsBuilder::default().all(true).filters(&filters).build();
    let images = connection.ask(async |docker| docker.list_images(Some(options)).await)?;
    let is_left = |image: &ImageSummary| {
        image.repo_tags.iter().all(|tag| tag == "<none>:<none>")
            && image.labels.get(OWNER).is_some_and(|owner| is_gone(owner))
    };
    let left: Vec<String> =
        images.into_iter().filter(is_left).map(|image| identity(&image.id).to_owned()).collect();
    if left.is_empty() {
        return Ok(());
    }
    for working in libpod::working_containers(connection)? {
        if left.iter().any(|image| image == identity(&working.image)) {
            tracing::info!(container = %working.id, "removing what a builder has left");
            remove(connection, &working.id)?;
        }
    }
    Ok(())
}

/// An image's identity, without the name of its hash.
fn identity(image: &str) -> &str {
    image.strip_prefix("sha256:").unwrap_or(image)
}

/// Removes a container, running or not, and the volumes without a name that it made.
pub(super) fn remove(connection: &Connection, container: &str) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    connection.ask(async |docker| match docker.remove_container(container, Some(options)).await {
        Err(error) if is_missing(&error) => Ok(()),
        // Somebody else removes it: most often the daemon's own builder.
        Err(Error::DockerResponseServerError { status_code: 409, .. }) => Ok(()),
        result => result,
    })
}
