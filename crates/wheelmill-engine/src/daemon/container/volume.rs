//! Volumes with names of the user's: made when missing, read, never removed.

use std::io::{self, Seek as _, Write as _};

use bollard::models::{ContainerCreateBody, HostConfig, VolumeCreateRequest};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use camino::Utf8Path;
use futures_util::StreamExt as _;

use super::of_image::{mounted, owned};
use super::run::Made;
use crate::daemon::connection::Connection;
use crate::daemon::failure::{gone, is_missing};
use crate::{Cancel, EngineError, Volume};

/// Makes sure that there is a volume.
pub(in crate::daemon) fn ensure(
    connection: &Connection,
    volume: &Volume,
) -> Result<(), EngineError> {
    let exists =
        connection.ask(async |docker| match docker.inspect_volume(&volume.name).await {
            Err(error) if is_missing(&error) => Ok(false),
            found => found.map(|_| true),
        })?;
    if !exists {
        let wish = VolumeCreateRequest {
            name: Some(volume.name.clone()),
            ..VolumeCreateRequest::default()
        };
        connection.ask(async |docker| docker.create_volume(wish).await)?;
    }
    Ok(())
}

/// Copies a file out of a volume, through a container that never starts: the daemon's own folders
/// may belong to root, or lie on another machine.
pub(in crate::daemon) fn copy(
    connection: &Connection,
    image: &str,
    volume: &Volume,
    file: &Utf8Path,
    to: &Utf8Path,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let made = Made::new(
        connection,
        "copy",
        ContainerCreateBody {
            // Some images have no command; it is not run.
            cmd: Some(vec!["true".to_owned()]),
            host_config: Some(HostConfig {
                mounts: Some(vec![mounted(volume)]),
                ..HostConfig::default()
            }),
            ..owned(image)
        },
    )?;
    let failed = |source| EngineError::Files { action: "write", path: to.to_owned(), source };
    let folder = to.parent().unwrap_or(Utf8Path::new("/"));
    let mut packed = tempfile::tempfile_in(folder).map_err(failed)?;
    connection.long(cancel, async |docker| {
        let place = DownloadFromContainerOptionsBuilder::default().path(file.as_str()).build();
        let mut pieces = docker.download_from_container(&made.id, Some(place));
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| gone(connection, error))?;
            packed.write_all(&piece).map_err(failed)?;
        }
        Ok(())
    })?;
    packed.rewind().map_err(failed)?;
    unpack_one(packed, to).map_err(failed)
}

/// Writes the one file of an archive to a place.
fn unpack_one(packed: std::fs::File, to: &Utf8Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(io::BufReader::new(packed));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            io::copy(&mut entry, &mut fs_err::File::create(to)?)?;
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the volume has no such file"))
}
