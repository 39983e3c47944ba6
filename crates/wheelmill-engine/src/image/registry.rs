//! Fetches documents and layers of one image from its registry.
//!
//! The client below is asynchronous; this is where that ends. Every call waits on a runtime of its
//! own, on the caller's thread, and looks at the caller's wish to stop ten times a second.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use camino::Utf8Path;
use oci_client::client::Client;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use tokio::io::AsyncWrite;
use tokio::runtime::Runtime;
use wheelmill_model::{Digest, NetworkSettings};

use super::error::{ImageError, Progress};
use super::reference::{ImageReference, parse_digest};
use super::{credentials, transport};
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
            return Err(ImageError::reason(
                "it would have to be fetched, and the network is not to be used",
            ));
        }
        let config = transport::client_config(image, network)?;
        let auth = match network.variable(REGISTRY_CREDENTIALS) {
            Some(file) => credentials::for_image(Utf8Path::new(file), image)?,
            None => RegistryAuth::Anonymous,
        };
        let client = Client::try_from(config)
            .map_err(|error| ImageError::caused("no secure connection can be set up", error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ImageError::caused("no connection can be set up", error))?;
        let registry = Self {
            runtime: Some(runtime),
            client,
            auth,
            image: image.clone(),
            cancel: cancel.clone(),
        };
        registry.retry(|| async {
            let reference = registry.image.as_client();
            let pull = RegistryOperation::Pull;
            registry.client.auth(reference, &registry.auth, pull).await.map(drop)
        })?;
        Ok(registry)
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
        let reference: &Reference = pinned.as_client();
        let (bytes, _) =
            self.retry(|| self.client.pull_manifest_raw(reference, &self.auth, DOCUMENTS))?;
        Ok(bytes.to_vec())
    }

    /// A small blob: an image's configuration.
    pub(super) fn small_blob(&self, digest: Digest) -> Result<Vec<u8>, ImageError> {
        let name = format!("sha256:{digest}");
        self.retry(|| async {
            let mut sink = Sink::new(Vec::new(), MOST_DOCUMENT_BYTES, |_| {});
            self.client.pull_blob(self.image.as_client(), name.as_str(), &mut sink).await?;
            Ok(sink.inner)
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
        let progress = std::cell::RefCell::new(progress);
        self.retry(|| async {
            let file = File::create(path)?;
            let report = |written| (progress.borrow_mut())(written);
            report(0);
            let mut sink = Sink::new(file, size, report);
            self.client.pull_blob(self.image.as_client(), name.as_str(), &mut sink).await?;
            sink.inner.sync_all()?;
            Ok(())
        })
    }

    /// Does one thing, several times when the network fails, until the caller cancels.
    fn retry<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, ImageError>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        let runtime = self.runtime.as_ref().expect("the runtime lives as long as the registry");
        let work = async {
            let mut tries = 1;
            loop {
                match attempt().await {
                    Err(error) if tries < ATTEMPTS && is_transient(&error) => {
                        tracing::info!(image = %self.image, %error, tries, "trying again");
                        tokio::time::sleep(Duration::from_millis(250) * 4_u32.pow(tries - 1)).await;
                        tries += 1;
                    }
                    other => break other,
                }
            }
        };
        let cancelled = async {
            while !self.cancel.is_cancelled() {
                tokio::time::sleep(CANCEL_POLL).await;
            }
        };
        runtime.block_on(async {
            tokio::select! {
                result = work => result.map_err(|error| explain(error, &self.image)),
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

/// Whether another try may help: the connection broke, or the registry is overloaded.
fn is_transient(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::RequestError(error) => !error.is_builder(),
        OciDistributionError::ServerError { code, .. } => matches!(code, 500..=599 | 429),
        _ => false,
    }
}

fn explain(error: OciDistributionError, image: &ImageReference) -> ImageError {
    use OciDistributionError as E;
    let registry = image.registry();
    let refused = || {
        format!(
            "{registry} refuses access: the name is wrong, or it needs a login \
             (set {REGISTRY_CREDENTIALS} to a file written by `docker login` or `podman login`)"
        )
    };
    let reason = match &error {
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => refused(),
        E::ServerError { code: 401 | 403, .. } => refused(),
        E::ServerError { code: 404, .. } => format!("{registry} does not have it"),
        E::RegistryError { envelope, .. } => {
            let has = |code: &OciErrorCode| envelope.errors.iter().any(|error| error.code == *code);
            if has(&OciErrorCode::Denied) || has(&OciErrorCode::Unauthorized) {
                refused()
            } else if has(&OciErrorCode::Toomanyrequests) {
                format!("{registry} allows no more pulls for now; log in, or wait")
            } else if [
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::BlobUnknown,
                OciErrorCode::NotFound,
            ]
            .iter()
            .any(has)
            {
                format!("{registry} does not have it, or not all of it")
            } else {
                format!("{registry} answers with an error")
            }
        }
        E::DigestError(_) => format!("{registry} sent other bytes than their digest says"),
        E::IoError(_) => "it could not be written to the disk".to_owned(),
        E::RequestError(error) if error.is_connect() => format!("{registry} cannot be reached"),
        E::RequestError(_) => format!("the connection to {registry} broke"),
        _ => format!("{registry} answers with what is not understood"),
    };
    ImageError::caused(reason, error)
}

/// Takes a blob as it comes, and no more of it than was announced.
struct Sink<W, F> {
    inner: W,
    written: u64,
    most: u64,
    report: F,
}

impl<W: io::Write, F: FnMut(u64)> Sink<W, F> {
    const fn new(inner: W, most: u64, report: F) -> Self {
        Self { inner, written: 0, most, report }
    }
}

impl<W: io::Write + Unpin, F: FnMut(u64) + Unpin> AsyncWrite for Sink<W, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A write to a local file is short, and nobody else runs on this thread's runtime.
        let sink = &mut *self;
        if sink.written + bytes.len() as u64 > sink.most {
            return Poll::Ready(Err(io::Error::other("it is longer than was announced")));
        }
        sink.inner.write_all(bytes)?;
        sink.written += bytes.len() as u64;
        (sink.report)(sink.written);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.inner.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
