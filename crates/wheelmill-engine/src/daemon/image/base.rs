//! Brings the image that an environment begins with to the daemon.

use bollard::Docker;
use bollard::body_try_stream;
use bollard::models::{CreateImageInfo, ImageInspect, ProgressDetail};
use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder};
use bytes::Bytes;
use camino::Utf8Path;
use futures_util::{Stream, StreamExt as _};
use wheelmill_model::Digest;

use crate::daemon::connection::Connection;
use crate::daemon::failure::{gone, is_missing, meant};
use crate::daemon::label::{self, OWNER};
use crate::image::{Form, form_of};
use crate::{Base, Cancel, EngineError, PrepareListener};

/// How much of a file is read at once.
const PIECE: usize = 1 << 20;

/// What the daemon knows of an image, if it has it.
pub(in crate::daemon) fn inspect(
    connection: &Connection,
    name: &str,
) -> Result<Option<ImageInspect>, EngineError> {
    connection.ask(async |docker| match docker.inspect_image(name).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    })
}

/// The name that pins an image which the daemon has: that of its registry with the digest there, or
/// its own identity where it came from no registry.
pub(in crate::daemon) fn pinned_name(image: &ImageInspect) -> Option<String> {
    let of_registry = image.repo_digests.iter().flatten().find(|name| name.contains("@sha256:"));
    of_registry.or(image.id.as_ref()).cloned()
}

/// Makes sure that the daemon has a pinned base; returns the name of its image.
pub(in crate::daemon) fn bring(
    connection: &Connection,
    base: &Base,
    listener: &mut dyn PrepareListener,
    cancel: &Cancel,
) -> Result<String, EngineError> {
    match base {
        Base::Host { .. } => Err(EngineError::Unable {
            what: "this machine's own root as base".to_owned(),
            why: format!("{} starts containers from images only", connection.kind),
            fix: "name an image with `--base`, or build without a daemon: `--engine embedded`"
                .to_owned(),
        }),
        Base::Image(name) => {
            if inspect(connection, name)?.is_none() {
                pull(connection, base, name, listener, cancel)?;
            }
            Ok(name.clone())
        }
        Base::Archive { path, digest } => {
            let digest = digest.ok_or_else(|| EngineError::NotPinned(base.to_string()))?;
            let name = archive_name(&digest);
            if inspect(connection, &name)?.is_none() {
                load(connection, base, path, &name, listener, cancel)?;
            }
            Ok(name)
        }
    }
}

/// Where images of files have their names. No registry of others can ever serve them.
pub(in crate::daemon) const BASES: &str = "localhost/wheelmill/base";

/// The name under which the image of a file is kept.
pub(in crate::daemon) fn archive_name(digest: &Digest) -> String {
    format!("{BASES}:{}", &digest.to_string()[..24])
}

fn pull(
    connection: &Connection,
    base: &Base,
    name: &str,
    listener: &mut dyn PrepareListener,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let options = CreateImageOptionsBuilder::default().from_image(name).build();
    connection.long(cancel, async |docker| {
        let news = docker.create_image(Some(options), None, None);
        follow(connection, base, news, listener).await
    })
}

/// Gives the daemon the image in a file: what `docker save` wrote, or the tar of a root.
fn load(
    connection: &Connection,
    base: &Base,
    path: &Utf8Path,
    name: &str,
    listener: &mut dyn PrepareListener,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let refused = |reason: &str, source| EngineError::Image {
        image: path.to_string(),
        reason: reason.to_owned(),
        source,
    };
    let form = form_of(path).map_err(|error| refused("it cannot be read", Some(error.into())))?;
    let file = std::fs::File::open(path)
        .map_err(|error| refused("it cannot be read", Some(error.into())))?;
    let (repository, tag) = name.rsplit_once(':').expect("a name with a tag");
    match form {
        Form::Root => {
            // With the tag in the name, since Podman does not look at a tag beside it.
            // The label is for what is left when this is cut short.
            let label = format!("LABEL {OWNER}=\"{}\"", label::this_process());
            let options = CreateImageOptionsBuilder::default()
                .from_src("-")
                .repo(name)
                .changes(vec![label])
                .build();
            connection.long(cancel, async |docker| {
                let body = body_try_stream(pieces(file));
                let news = docker.create_image(Some(options), Some(body), None);
                follow(connection, base, news, listener).await
            })
        }
        Form::Saved => {
            let loaded = connection.long(cancel, async |docker| {
                let options = ImportImageOptionsBuilder::default().quiet(true).build();
                let news = docker.import_image_stream(options, pieces(file), None);
                loaded(connection, news).await
            })?;
            let loaded = loaded.ok_or_else(|| refused("the daemon found no image in it", None))?;
            connection.ask(async |docker| tag_as(docker, &loaded, repository, tag).await)
        }
        Form::Layout => Err(refused(
            "daemons load what `docker save` writes and tars of a root, not an OCI layout",
            None,
        )),
    }
}

async fn tag_as(
    docker: &Docker,
    image: &str,
    repository: &str,
    tag: &str,
) -> Result<(), bollard::errors::Error> {
    let options = bollard::query_parameters::TagImageOptionsBuilder::default()
        .repo(repository)
        .tag(tag)
        .build();
    docker.tag_image(image, Some(options)).await
}

/// Waits until an image has come, and tells how much of it has.
async fn follow(
    connection: &Connection,
    base: &Base,
    mut news: impl Stream<Item = Result<CreateImageInfo, bollard::errors::Error>> + Unpin,
    listener: &mut dyn PrepareListener,
) -> Result<(), EngineError> {
    let mut layers = std::collections::HashMap::new();
    while let Some(piece) = news.next().await {
        let refused = |message: String| {
            meant(connection.kind, &message).unwrap_or_else(|| EngineError::Image {
                image: base.to_string(),
                reason: message,
                source: None,
            })
        };
        let info = match piece {
            Ok(info) => info,
            Err(bollard::errors::Error::DockerStreamError { error }) => return Err(refused(error)),
            Err(bollard::errors::Error::DockerResponseServerError { message, .. }) => {
                return Err(refused(message));
            }
            Err(error) => return Err(gone(connection, error)),
        };
        if let (Some(layer), Some(ProgressDetail { current: Some(done), total })) =
            (info.id, info.progress_detail)
        {
            layers.insert(layer, (size(done), total.map(size)));
            let done = layers.values().map(|(done, _)| done).sum();
            let total = layers.values().map(|(_, total)| *total).sum();
            listener.base_progress(base, done, total);
        }
    }
    Ok(())
}

fn size(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// The name or identity of an image that was loaded.
async fn loaded(
    connection: &Connection,
    mut news: impl Stream<Item = Result<bollard::models::BuildInfo, bollard::errors::Error>> + Unpin,
) -> Result<Option<String>, EngineError> {
    let mut name = None;
    while let Some(piece) = news.next().await {
        let text = piece.map_err(|error| gone(connection, error))?.stream.unwrap_or_default();
        for before in ["Loaded image ID: ", "Loaded image: "] {
            if let Some((_, found)) = text.split_once(before) {
                name = Some(found.trim().to_owned());
            }
        }
    }
    Ok(name)
}

/// A file, piece by piece.
pub(in crate::daemon) fn pieces(
    file: std::fs::File,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    futures_util::stream::unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        match std::io::Read::read(&mut file, &mut piece) {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some((Ok(piece.into()), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    })
}
