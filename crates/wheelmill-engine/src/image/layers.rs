//! From a base to layer folders: what is pinned, fetched, unpacked, and found done.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::NetworkSettings;

use super::error::ImageError;
use super::file;
use super::maker::Maker;
use super::manifest::ImageConfig;
use super::reference::ImageReference;
use super::registry::Registry;
use super::source::Image;
use super::store::ImageStore;
use super::unpack::{UnpackJob, Unpacked, XattrMode};
use crate::{Base, Cancel, EngineError};

/// The base with its content named. A tag is looked up in its registry: its digest stands for all
/// platforms of the image, as Docker shows it too. A file is hashed. What is pinned already, and the
/// host, come back as they are.
///
/// # Errors
/// The registry or the file cannot be read, or the network may not be used.
pub fn pin(base: &Base, network: &NetworkSettings) -> Result<Base, EngineError> {
    let cancel = Cancel::new();
    let pin = || match base {
        Base::Image(text) => {
            let image: ImageReference = text.parse()?;
            let digest = match image.digest() {
                Some(digest) => digest,
                None => Registry::connect(&image, network, &cancel)?.digest()?,
            };
            Ok(Base::Image(image.with_digest(digest).to_string()))
        }
        Base::Archive { path, digest: None } => {
            let digest = Some(file::digest(path, &cancel)?);
            Ok(Base::Archive { path: path.clone(), digest })
        }
        Base::Archive { .. } | Base::Host { .. } => Ok(base.clone()),
    };
    pin().map_err(|error: ImageError| error.of(base))
}

/// What [`layers_with`] needs beside the progress and the unpacker.
#[derive(Clone, Copy, Debug)]
pub struct LayerRequest<'a> {
    /// Pinned.
    pub base: &'a Base,
    /// The folder of the store; images have a folder in it.
    pub store: &'a Utf8Path,
    /// For whom the folders are.
    pub mode: XattrMode,
    /// How registries are reached.
    pub network: &'a NetworkSettings,
    /// Raised when the caller no longer wants it.
    pub cancel: &'a Cancel,
}

/// Unpacks one layer, in this process or a helper.
pub type Unpacker<'a> =
    &'a mut dyn FnMut(&UnpackJob) -> Result<Unpacked, Box<dyn std::error::Error + Send + Sync>>;

/// The layer folders of a pinned base, lowest first: each made once for all images that share it,
/// also when several processes want it at once. The host has none.
///
/// `progress` is told bytes of compressed layers, done and in all; it is not called when everything
/// is there.
///
/// # Errors
/// The base is not pinned, cannot be had, is hostile or damaged, the disk is full, or the caller
/// cancelled. What was finished until then is kept.
pub fn layers(
    base: &Base,
    store: &Utf8Path,
    mode: XattrMode,
    network: &NetworkSettings,
    progress: &mut dyn FnMut(u64, Option<u64>),
    cancel: &Cancel,
) -> Result<Vec<Utf8PathBuf>, EngineError> {
    let request = LayerRequest { base, store, mode, network, cancel };
    layers_with(&request, progress, &mut |job| Ok(job.run(cancel)?))
}

/// As [`layers`], with another way to unpack: in a user namespace with many ids, only a process in
/// that namespace can give files their owners.
///
/// # Errors
/// As [`layers`].
pub fn layers_with(
    request: &LayerRequest<'_>,
    progress: &mut dyn FnMut(u64, Option<u64>),
    unpack: Unpacker<'_>,
) -> Result<Vec<Utf8PathBuf>, EngineError> {
    make(request, progress, unpack).map_err(|error| error.of(request.base))
}

fn make(
    request: &LayerRequest<'_>,
    progress: &mut dyn FnMut(u64, Option<u64>),
    unpack: Unpacker<'_>,
) -> Result<Vec<Utf8PathBuf>, ImageError> {
    let store = ImageStore::open(request.store)?;
    match Image::open(request, &store)? {
        Some(image) => Maker { request, store: &store, progress, unpack }.make(image),
        None => Ok(Vec::new()),
    }
}

/// What a container needs to know of a pinned base: the image's environment variables, working
/// directory and user. The host and a plain tar say nothing.
///
/// # Errors
/// As [`layers`]; no layer is fetched.
pub fn config(
    base: &Base,
    store: &Utf8Path,
    network: &NetworkSettings,
    cancel: &Cancel,
) -> Result<ImageConfig, EngineError> {
    let request = LayerRequest { base, store, mode: XattrMode::User, network, cancel };
    let read = || {
        let store = ImageStore::open(store)?;
        let image = Image::open(&request, &store)?;
        Ok(image.map(|image| image.config).unwrap_or_default())
    };
    read().map_err(|error: ImageError| error.of(base))
}
