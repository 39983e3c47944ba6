//! Whose a container is: containers of programs that are gone are removed by the next one.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::ImageSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptions,
};
use wheelmill_model::Digest;

use super::connection::Connection;
use super::failure::is_missing;
use crate::EngineError;

/// The label that names the process that a container belongs to.
pub(super) const OWNER: &str = "dev.wheelmill.owner";

/// The label that names the step that an image, or a part of one, belongs to.
pub(super) const STEP: &str = "dev.wheelmill.step";

/// The label that says what the step is that an image ends with.
pub(super) const TITLE: &str = "dev.wheelmill.title";

/// This process, by a name that no other ever has: the boot, the namespace in which numbers are
/// given, the number, and the moment of its start.
pub(super) fn this_process() -> String {
    let pid = std::process::id();
    format!("{} {pid} {}", numbering(), started(pid).unwrap_or_default())
}

/// Removes containers, and parts of images, of processes that are gone.
pub(super) fn sweep(connection: &Connection) -> Result<(), EngineError> {
    sweep_containers(connection)?;
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

/// Removes an image that nothing is built upon; of others, nothing.
fn remove_image(connection: &Connection, image: &str) -> Result<(), EngineError> {
    connection.ask(async |docker| {
        match docker.remove_image(image, None::<RemoveImageOptions>, None).await {
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    })
}

fn sweep_containers(connection: &Connection) -> Result<(), EngineError> {
    let filters = HashMap::from([("label", vec![OWNER])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let found = connection.ask(async |docker| docker.list_containers(Some(options)).await)?;
    for container in found {
        let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER));
        if let (Some(id), Some(owner)) = (&container.id, owner)
            && is_gone(owner)
        {
            tracing::info!(container = %id, "removing what a program that is gone has left");
            remove(connection, id)?;
        }
    }
    Ok(())
}

/// Removes a container, running or not, and the volumes without a name that it made.
pub(super) fn remove(connection: &Connection, container: &str) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    connection.ask(async |docker| match docker.remove_container(container, Some(options)).await {
        Err(error) if is_missing(&error) => Ok(()),
        result => result,
    })
}

/// Whether a process that was given its number here, in this boot, has ended. Of others nothing is
/// known: programs in several containers may share one daemon.
pub(super) fn is_gone(owner: &str) -> bool {
    let Some((numbering_then, rest)) = owner.split_once(' ') else { return false };
    let Some((pid, started_then)) = rest.split_once(' ') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    numbering_then == numbering() && started(pid).as_deref() != Some(started_then)
}

/// What gives processes their numbers: the boot of the machine, and the namespace in it.
fn numbering() -> String {
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs_err::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), namespace.display())
}

/// When a process started, proc_pid_stat(5); none when there is no such process.
fn started(pid: u32) -> Option<String> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(22 - 3).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_has_ended_is_gone() {
        assert!(!is_gone(&this_process()));
        assert!(is_gone(&format!("{} {} 1", numbering(), std::process::id())));
        assert!(!is_gone("another-boot/pid:[1] 1 1"));
        assert!(!is_gone("nonsense"));
    }
}
