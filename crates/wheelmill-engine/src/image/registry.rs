//! Fetches documents and layers of one image from its registry.
//!
//! The client below is asynchronous; this is where that ends. Every call waits on a runtime of its
//! own, on the caller's thread, and looks at the caller's wish to stop ten times a second.

use std::cell::RefCell;
use std::fs::File;
use std::time::Duration;

use camino::Utf8Path;
use oci_client::RegistryOperation;
use oci_client::client::Client;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use tokio::runtime::Runtime;
use wheelmill_model::{Digest, NetworkSettings};

use super::credentials;
use super::error::{ImageError, Progress};
use super::failure::{explain, is_no_tls, is_transient};
use super::reference::{ImageReference, parse_digest};
use super::sink::Sink;
use super::transport::{self, Scheme};
use crate::Cancel;

/// The variable of [`NetworkSettings`] that names a file of credentials, as podman and skopeo call
/// it. The file's form is that of Docker's `config.json`.
pub const REGISTRY_CREDENTIALS: &str = "REGISTRY_AUTH_FILE";

const DOCUMENTS: &[&str] = &[
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];
const CANCEL_POLL: Duration = Duration::from_millis(100);
/// How often a broken transfer is tried, with growing pauses between.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Configurations are read into memory; real ones have some kilobytes.
const MOST_DOCUMENT_BYTES: u64 = 16 << 20;

/// A connection to the registry of one image.
pub(super) struct Registry {
    runtime: Option<Runtime>,
    client: Client,
    auth: RegistryAuth,
    image: ImageReference,
    cancel: Cancel,
}

impl Registry {
    /// Logs in, when the registry asks for that.
    pub(super) fn connect(
        image: &ImageReference,
        network: &NetworkSettings,
        cancel: &Cancel,
    ) -> Result<Self, ImageError> {
        if network.offline {
            let registry = image.registry();
            let reason = format!(
                "it would have to be fetched from {registry}, and the network is not to be used"
            );
            return Err(ImageError::Unreachable(reason, None));
        }
        let auth = match network.variable(REGISTRY_CREDENTIALS) {
            Some(file) => credentials::for_image(Utf8Path::new(file), image)?,
            None => RegistryAuth::Anonymous,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ImageError::caused("no connection can be set up", error))?;
        let client = |scheme| {
            Client::try_from(transport::client_config(image, network, scheme)?)
                .map_err(|error| ImageError::caused("no secure connection can be set up", error))
        };
        let mut registry = Self {
            runtime: Some(runtime),
            client: client(Scheme::Https)?,
            auth,
            image: image.clone(),
            cancel: cancel.clone(),
        };
        match registry.log_in()? {
            // On this machine, plain http is as safe as anything.
            Err(failure) if image.is_loopback() && is_no_tls(&failure) => {
                registry.client = client(Scheme::Http)?;
                registry.log_in()?
            }
            other => other,
        }
        .map_err(|failure| explain(failure, image))?;
        Ok(registry)
    }

    /// The first contact. Nothing is lost yet, so it is not worth many tries.
    fn log_in(&self) -> Result<Result<(), OciDistributionError>, ImageError> {
        let reference = self.image.as_client();
        self.until_cancelled(async {
            let log_in = || self.client.auth(reference, &self.auth, RegistryOperation::Pull);
            let result = match log_in().await {
                Err(failure) if is_transient(&failure) && !is_no_tls(&failure) => log_in().await,
                other => other,
            };
            result.map(drop)
        })
    }

    /// The digest that the image's tag means today.
    pub(super) fn digest(&self) -> Result<Digest, ImageError> {
        let text =
            self.retry(|| self.client.fetch_manifest_digest(self.image.as_client(), &self.auth))?;
        parse_digest(&text)
            .ok_or_else(|| ImageError::reason(format!("the registry names `{text}` as its digest")))
    }

    /// An index or a manifest.
    pub(super) fn document(&self, digest: Digest) -> Result<Vec<u8>, ImageError> {
        let pinned = self.image.with_digest(digest);
        let (bytes, _) = self
            .retry(|| self.client.pull_manifest_raw(pinned.as_client(), &self.auth, DOCUMENTS))?;
        Ok(bytes.to_vec())
    }

    /// A small blob: an image's configuration.
    pub(super) fn small_blob(&self, digest: Digest) -> Result<Vec<u8>, ImageError> {
        let name = format!("sha256:{digest}");
        self.retry(|| async {
            let mut sink = Sink::new(Vec::new(), MOST_DOCUMENT_BYTES, |_| {});
            self.client.pull_blob(self.image.as_client(), name.as_str(), &mut sink).await?;
            Ok(sink.into_inner())
        })
    }

    /// A layer, into a file. The client checks its digest while it comes; its size is checked here,
    /// so that a registry cannot fill the disk before the digest is known to be wrong.
    pub(super) fn blob(
        &self,
        digest: Digest,
        size: u64,
        path: &Utf8Path,
        progress: Progress<'_>,
    ) -> Result<(), ImageError> {
        let name = format!("sha256:{digest}");
        let progress = RefCell::new(progress);
        self.retry(|| async {
            let file = File::create(path)?;
            let report = |written| (progress.borrow_mut())(written);
            report(0);
            let mut sink = Sink::new(file, size, report);
            self.client.pull_blob(self.image.as_client(), name.as_str(), &mut sink).await?;
            Ok(sink.into_inner().sync_all()?)
        })
    }

    /// Does one thing, several times when the network fails, until the caller cancels.
    fn retry<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, ImageError>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        let work = async {
            let mut tries = 1;
            loop {
                match attempt().await {
                    Err(failure) if tries < ATTEMPTS && is_transient(&failure) => {
                        tracing::info!(image = %self.image, %failure, tries, "trying again");
                        tokio::time::sleep(FIRST_PAUSE * 4_u32.pow(tries - 1)).await;
                        tries += 1;
                    }
                    other => break other,
                }
            }
        };
        self.until_cancelled(work)?.map_err(|failure| explain(failure, &self.image))
    }

    fn until_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, ImageError> {
        let runtime = self.runtime.as_ref().expect("the runtime lives as long as the registry");
        let cancelled = async {
            while !self.cancel.is_cancelled() {
                tokio::time::sleep(CANCEL_POLL).await;
            }
        };
        runtime.block_on(async {
            tokio::select! {
                result = work => Ok(result),
                () = cancelled => Err(ImageError::Cancelled),
            }
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // A name look-up that hangs must not hold up whoever cancelled.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
