//! What a failed container has left: its files as an image, until the next try.

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerConfig, ContainerCreateBody};
use bollard::query_parameters::{CommitContainerOptionsBuilder, RemoveImageOptions};
use wheelmill_model::Digest;

use super::base;
use crate::EngineError;
use crate::daemon::connection::Connection;
use crate::daemon::failure::gone;
use crate::daemon::label::TITLE;

/// Where such images have their names.
pub(in crate::daemon) const REMAINS: &str = "localhost/wheelmill/failed";

fn tag(key: &Digest) -> String {
    key.to_string()[..24].to_owned()
}

fn name(key: &Digest) -> String {
    format!("{REMAINS}:{}", tag(key))
}

/// Keeps the files of a container that has ended. The variables that it was started with are made
/// empty in the image: some hold passwords of proxies.
pub(in crate::daemon) async fn keep(
    connection: &Connection,
    docker: &Docker,
    container: &str,
    what: &str,
    started_with: &ContainerCreateBody,
    key: &Digest,
) -> Result<(), EngineError> {
    let mut changes = vec![format!("LABEL {TITLE}=\"what a failed build of {what} left\"")];
    for variable in started_with.env.iter().flatten() {
        let (variable, _) = variable.split_once('=').unwrap_or((variable, ""));
        changes.push(format!("ENV {variable}="));
    }
    let options = CommitContainerOptionsBuilder::default()
        .container(container)
        .repo(REMAINS)
        .tag(&tag(key))
        .changes(&changes.join("\n"))
        .build();
    let container = docker.commit_container(options, ContainerConfig::default());
    container.await.map_err(|error| gone(connection, error))?;
    Ok(())
}

/// The image of what a container left, if there is one.
pub(in crate::daemon) fn find(
    connection: &Connection,
    key: &Digest,
) -> Result<Option<String>, EngineError> {
    let name = name(key);
    Ok(base::inspect(connection, &name)?.map(|_| name))
}

/// Removes it, unless somebody looks around in it.
pub(in crate::daemon) fn remove(connection: &Connection, key: &Digest) -> Result<(), EngineError> {
    connection.ask(async |docker| {
        match docker.remove_image(&name(key), None::<RemoveImageOptions>, None).await {
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    })
}
