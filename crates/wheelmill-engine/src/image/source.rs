//! A pinned image: what it consists of, and where its layers come from when one is missing.

use camino::Utf8PathBuf;
use wheelmill_model::{Digest, DigestBuilder};

use super::error::{ImageError, Progress};
use super::file::{self, ImageFile};
use super::layers::LayerRequest;
use super::manifest::{Configuration, Document, ImageConfig, Manifest, choose, host_architecture};
use super::reference::ImageReference;
use super::registry::Registry;
use super::store::{ImageStore, LayerRecord, Lock, Record};
use super::unpack::LayerSource;
use crate::{Base, EngineError};

/// An image whose content is known.
pub(super) struct Image<'a> {
    request: &'a LayerRequest<'a>,
    store: &'a ImageStore,
    key: Digest,
    pub(super) config: ImageConfig,
    /// Lowest first.
    pub(super) layers: Vec<Layer>,
    origin: Origin,
}

/// One layer of an image.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// The digest of the uncompressed layer. Only a plain tar that was never unpacked has none.
    pub(super) diff_id: Option<Digest>,
    /// The digest of the compressed layer in a registry.
    blob: Option<Digest>,
    /// Bytes to fetch or read.
    pub(super) size: u64,
}

/// Where layers come from. What it needs is set up when the first layer is missing: an image that is
/// there entirely needs neither its registry nor its file.
enum Origin {
    Registry { image: ImageReference, connection: Option<Box<Registry>> },
    File { path: Utf8PathBuf, digest: Digest, opened: Option<OpenedFile> },
}

struct OpenedFile {
    image: ImageFile,
    /// Where the file was uncompressed to, if it was.
    scratch: Utf8PathBuf,
    /// Held while the scratch file may be used.
    _lock: Lock,
}

impl<'a> Image<'a> {
    /// What is known of a pinned base, or is found out now; `None` for the host, which is no image.
    pub(super) fn open(
        request: &'a LayerRequest<'a>,
        store: &'a ImageStore,
    ) -> Result<Option<Self>, ImageError> {
        let not_pinned = || EngineError::NotPinned(request.base.to_string());
        let (content, origin) = match request.base {
            Base::Host { .. } => return Ok(None),
            Base::Image(text) => {
                let image: ImageReference = text.parse()?;
                let digest = image.digest().ok_or_else(not_pinned)?;
                (digest, Origin::Registry { image, connection: None })
            }
            Base::Archive { path, digest } => {
                let digest = digest.ok_or_else(not_pinned)?;
                (digest, Origin::File { path: path.clone(), digest, opened: None })
            }
        };
        // One digest may stand for the images of several platforms.
        let key = DigestBuilder::new("image/1")
            .field("content", content.as_bytes())
            .field("architecture", host_architecture())
            .finish();
        let config = ImageConfig::default();
        let mut image = Self { request, store, key, config, layers: Vec::new(), origin };
        match store.record(key) {
            Some(record) => image.take_record(record),
            None => image.inspect(content)?,
        }
        Ok(Some(image))
    }

    fn take_record(&mut self, record: Record) {
        self.config = record.config;
        let layers = record.layers.into_iter();
        self.layers = layers
            .map(|LayerRecord { diff_id, blob, size }| Layer { diff_id: Some(diff_id), blob, size })
            .collect();
    }

    /// Reads what the image consists of from where it comes from.
    fn inspect(&mut self, content: Digest) -> Result<(), ImageError> {
        if matches!(self.origin, Origin::Registry { .. }) {
            let (config, layers) = read_manifest(self.registry()?, content)?;
            (self.config, self.layers) = (config, layers);
        } else {
            self.file()?;
            // Another process may have found it all out while this one waited for the file.
            if let Some(record) = self.store.record(self.key) {
                self.take_record(record);
                return Ok(());
            }
            let opened = self.file()?;
            let config = opened.config.clone();
            let layers = opened.layers.iter().map(|layer| Layer {
                diff_id: layer.diff_id,
                blob: None,
                size: layer.source.length,
            });
            (self.layers, self.config) = (layers.collect(), config);
        }
        self.save()
    }

    /// Keeps what is known of the image, as soon as every layer has its digest.
    pub(super) fn save(&self) -> Result<(), ImageError> {
        let layers: Option<Vec<_>> = self
            .layers
            .iter()
            .map(|layer| {
                let (blob, size) = (layer.blob, layer.size);
                Some(LayerRecord { diff_id: layer.diff_id?, blob, size })
            })
            .collect();
        let Some(layers) = layers else { return Ok(()) };
        self.store.save_record(self.key, &Record { config: self.config.clone(), layers })
    }

    /// What to lock while a layer is made.
    pub(super) fn layer_key(&self, index: usize) -> Digest {
        self.layers[index].diff_id.unwrap_or(self.key)
    }

    /// The bytes of a layer: fetched, unless an earlier try had done that.
    pub(super) fn obtain(
        &mut self,
        index: usize,
        progress: Progress<'_>,
    ) -> Result<LayerSource, ImageError> {
        let Layer { blob, size, .. } = self.layers[index].clone();
        let Some(blob) = blob else {
            // The file was just compared with the digest that the record belongs to.
            let layer = self.file()?.layers.get(index);
            let missing = || ImageError::reason("it has fewer layers than it had");
            return Ok(layer.ok_or_else(missing)?.source.clone());
        };
        let path = self.store.blob(self.layer_key(index), blob);
        if !path.exists() {
            let unfinished = Utf8PathBuf::from(format!("{path}.part"));
            let fetched = self.registry()?.blob(blob, size, &unfinished, progress);
            if fetched.is_err() {
                // Half a layer is of no use: it cannot be gone on with.
                drop(fs_err::remove_file(&unfinished));
            }
            fetched?;
            fs_err::rename(&unfinished, &path).map_err(ImageError::files("rename", &unfinished))?;
        }
        Ok(LayerSource { file: path, offset: 0, length: size })
    }

    /// Removes what was fetched for a layer that is made now, or that turned out to be wrong.
    pub(super) fn discard(&self, index: usize) {
        if let Some(blob) = self.layers[index].blob {
            let path = self.store.blob(self.layer_key(index), blob);
            if let Err(error) = fs_err::remove_file(path) {
                tracing::debug!(%error, "a fetched layer stays");
            }
        }
    }

    fn registry(&mut self) -> Result<&Registry, ImageError> {
        let Origin::Registry { image, connection } = &mut self.origin else {
            unreachable!("only images of a registry have blobs to fetch");
        };
        if connection.is_none() {
            let LayerRequest { network, cancel, .. } = self.request;
            *connection = Some(Box::new(Registry::connect(image, network, cancel)?));
        }
        Ok(connection.as_deref().expect("it was just set"))
    }

    fn file(&mut self) -> Result<&ImageFile, ImageError> {
        let Origin::File { path, digest, opened } = &mut self.origin else {
            unreachable!("only images of a file are opened");
        };
        if opened.is_none() {
            let cancel = self.request.cancel;
            let lock = self.store.lock(*digest, cancel)?;
            if file::digest(path, cancel)? != *digest {
                return Err(ImageError::reason("it was changed since it was pinned"));
            }
            let scratch = self.store.scratch(*digest);
            let image = ImageFile::open(path, &scratch, cancel)?;
            *opened = Some(OpenedFile { image, scratch, _lock: lock });
        }
        Ok(&opened.as_ref().expect("it was just set").image)
    }
}

impl Drop for OpenedFile {
    fn drop(&mut self) {
        // It is there only if the file was a compressed archive.
        drop(std::fs::remove_file(&self.scratch));
    }
}

/// Follows a pinned name to the manifest for this machine, and reads it and the configuration. All
/// documents are checked against the digest that names them.
fn read_manifest(
    registry: &Registry,
    content: Digest,
) -> Result<(ImageConfig, Vec<Layer>), ImageError> {
    let architecture = host_architecture();
    let manifest = match Document::parse(&registry.document(content)?)? {
        Document::Manifest(manifest) => manifest,
        Document::Index(manifests) => {
            let chosen = choose(&manifests, architecture)?.digest()?;
            match Document::parse(&registry.document(chosen)?)? {
                Document::Manifest(manifest) => manifest,
                Document::Index(_) => {
                    return Err(ImageError::reason("its index leads to another index"));
                }
            }
        }
    };
    let Manifest { config, layers } = manifest;
    let json = registry.small_blob(config.digest()?)?;
    let configuration = Configuration::parse(&json, architecture)?;
    let diff_ids = configuration.diff_ids()?;
    if diff_ids.len() != layers.len() {
        return Err(ImageError::reason("it is not a container image, or it is damaged"));
    }
    let layers = layers
        .iter()
        .zip(diff_ids)
        .map(|(layer, diff_id)| {
            let blob = Some(layer.digest()?);
            Ok(Layer { diff_id: Some(diff_id), blob, size: layer.size })
        })
        .collect::<Result<_, String>>()?;
    Ok((configuration.image_config(), layers))
}
