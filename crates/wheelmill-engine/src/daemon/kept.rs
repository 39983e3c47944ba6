//! What wheelmill keeps with a daemon: images under its own names, and parts of failed ones. Images
//! of others are only looked at, to tell what is shared with them.

use std::time::{Duration, SystemTime};

use bollard::errors::Error;
use bollard::models::{ContainerSummary, ImageSummary};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use camino::Utf8PathBuf;

use super::connection::Connection;
use super::engine::{DaemonEngine, lock_name};
use super::failure::gone;
use super::image::base::{self, BASES};
use super::image::remains::REMAINS;
use super::image::step::ENVIRONMENTS;
use super::label::{self, OWNER, STEP, TITLE};
use crate::kept::{Keeper, Kept, KeptKind, Removal};
use crate::{DiskUse, EngineError, EngineKind, lock};

/// An image, with what it is made of.
struct Image {
    summary: ImageSummary,
    layers: Vec<String>,
}

impl Keeper for DaemonEngine {
    fn kind(&self) -> EngineKind {
        self.settings.kind
    }

    fn kept(&self) -> Result<Vec<Kept>, EngineError> {
        let (connection, _) = self.connect()?;
        let images = images(&connection)?;
        let used = used_images(&connection)?;
        let mut kept: Vec<Kept> = Vec::new();
        for image in &images {
            let Some((kind, id)) = own(&image.summary) else { continue };
            let below = below(image, &images);
            let shared = below.map_or(0, |below| below.summary.size);
            let lock = self.lock_of(image);
            let locked = lock.as_ref().and_then(|lock| lock.metadata().ok()?.modified().ok());
            let in_use = lock.is_some_and(|lock| lock::is_held(&lock));
            let alive =
                || image.summary.labels.get(OWNER).is_none_or(|owner| !label::is_gone(owner));
            kept.push(Kept {
                kind,
                id,
                title: image.summary.labels.get(TITLE).cloned(),
                size: DiskUse {
                    bytes: u64::try_from(image.summary.size - shared).unwrap_or(0),
                    ..DiskUse::default()
                },
                last_used: locked.or_else(|| created(&image.summary)),
                in_use: in_use
                    || used.contains(&image.summary.id)
                    || kind == KeptKind::Leftover && alive(),
                below: below.and_then(|below| Some(own(&below.summary)?.1)),
            });
        }
        hold_what_is_below(&mut kept);
        Ok(kept)
    }

    fn remove(&self, kept: &Kept) -> Result<Removal, EngineError> {
        let connection = self.swept()?;
        let lock = match base::inspect(connection, &kept.id)? {
            None => return Ok(Removal::Removed),
            Some(image) => {
                let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
                labels.get(STEP).map(|step| self.locks().join(format!("{step}.lock")))
            }
        };
        let _held = match lock.filter(|lock| lock.exists()) {
            None => None,
            Some(path) => match lock::try_alone(&path) {
                Ok(Some(lock)) => Some(lock),
                Ok(None) => return Ok(Removal::InUse),
                Err(source) => return Err(EngineError::Files { action: "lock", path, source }),
            },
        };
        // Never by force: the daemon keeps what containers use.
        connection.with(async |docker| {
            match docker.remove_image(&kept.id, None::<RemoveImageOptions>, None).await {
                Err(Error::DockerResponseServerError { status_code: 409, .. }) => {
                    Ok(Removal::InUse)
                }
                Err(Error::DockerResponseServerError { status_code: 404, .. }) | Ok(_) => {
                    Ok(Removal::Removed)
                }
                Err(error) => Err(gone(connection, error)),
            }
        })?
    }
}

impl DaemonEngine {
    /// The lock of the step that an image ends with.
    fn lock_of(&self, image: &Image) -> Option<Utf8PathBuf> {
        let step = image.summary.labels.get(STEP)?.parse().ok()?;
        Some(self.locks().join(lock_name(&step)))
    }
}

/// Which image of wheelmill's own it is, and by what it is removed.
fn own(image: &ImageSummary) -> Option<(KeptKind, String)> {
    let tag = |name: &str| {
        image
            .repo_tags
            .iter()
            .find(|tag| tag.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    };
    if let Some(name) = tag(ENVIRONMENTS).or_else(|| tag(REMAINS)) {
        return Some((KeptKind::Image, name.clone()));
    }
    if let Some(name) = tag(BASES) {
        return Some((KeptKind::BaseImage, name.clone()));
    }
    let unnamed = image.repo_tags.iter().all(|tag| tag == "<none>:<none>");
    let left = unnamed && image.labels.contains_key(OWNER) && image.labels.contains_key(STEP);
    left.then(|| (KeptKind::Leftover, image.id.clone()))
}

/// The largest other image of which all layers are in this one.
fn below<'a>(image: &Image, images: &'a [Image]) -> Option<&'a Image> {
    images
        .iter()
        .filter(|other| {
            let (part, whole) = (&other.layers, &image.layers);
            !part.is_empty() && part.len() < whole.len() && whole.starts_with(part)
        })
        .max_by_key(|other| other.layers.len())
}

fn images(connection: &Connection) -> Result<Vec<Image>, EngineError> {
    connection.ask(async |docker| {
        let options = ListImagesOptionsBuilder::default().build();
        let found = docker.list_images(Some(options)).await?;
        let mut images = Vec::new();
        if found.iter().all(|image| own(image).is_none()) {
            return Ok(images);
        }
        for summary in found {
            let Ok(image) = docker.inspect_image(&summary.id).await else { continue };
            let layers = image.root_fs.and_then(|root| root.layers).unwrap_or_default();
            images.push(Image { summary, layers });
        }
        Ok(images)
    })
}

/// What stands below something that is used is used as well.
fn hold_what_is_below(kept: &mut [Kept]) {
    let mut used: Vec<String> =
        kept.iter().filter(|kept| kept.in_use).filter_map(|kept| kept.below.clone()).collect();
    while let Some(id) = used.pop() {
        for kept in kept.iter_mut().filter(|kept| kept.id == id && !kept.in_use) {
            kept.in_use = true;
            used.extend(kept.below.clone());
        }
    }
}

/// The identities of the images that containers stand on, running or not; but for those of programs
/// that are gone, which go first.
fn used_images(connection: &Connection) -> Result<Vec<String>, EngineError> {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let containers = connection.ask(async |docker| docker.list_containers(Some(options)).await)?;
    let is_left = |container: &ContainerSummary| {
        let owner = container.labels.as_ref().and_then(|labels| labels.get(OWNER));
        owner.is_some_and(|owner| label::is_gone(owner))
    };
    let used = containers.into_iter().filter(|container| !is_left(container));
    Ok(used.filter_map(|container| container.image_id).collect())
}

fn created(image: &ImageSummary) -> Option<SystemTime> {
    let seconds = u64::try_from(image.created).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
