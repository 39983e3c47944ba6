//! What a failure of the registry client means: whether to try again, and what to tell a person.

use std::error::Error;
use std::io;

use oci_client::errors::{OciDistributionError as Failure, OciErrorCode};

use super::error::ImageError;
use super::reference::ImageReference;
use super::registry::REGISTRY_CREDENTIALS;

/// Whether another try may help: the connection broke, or the registry is overloaded.
pub(super) fn is_transient(failure: &Failure) -> bool {
    match failure {
        Failure::RequestError(error) => !error.is_builder() && !is_distrust(error),
        Failure::ServerError { code, .. } => matches!(code, 500..=599 | 429),
        _ => false,
    }
}

/// Whether somebody listens there, but does not speak TLS.
pub(super) fn is_no_tls(failure: &Failure) -> bool {
    matches!(failure, Failure::RequestError(error) if error.is_connect() && !is_distrust(error))
}

/// Whether the certificate of the other side is not trusted.
fn is_distrust(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // An `io::Error` passes over the error that it holds when it is asked for its source.
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    false
}

/// The failure in words about the image.
pub(super) fn explain(failure: Failure, image: &ImageReference) -> ImageError {
    let registry = image.registry();
    let refused = || {
        format!(
            "{registry} refuses access: the name is wrong, or it needs a login \
             (set {REGISTRY_CREDENTIALS} to a file written by `docker login` or `podman login`)"
        )
    };
    let reason = match &failure {
        Failure::UnauthorizedError { .. } | Failure::AuthenticationFailure(_) => refused(),
        Failure::ServerError { code: 401 | 403, .. } => refused(),
        Failure::ServerError { code: 404, .. } => format!("{registry} does not have it"),
        Failure::RegistryError { envelope, .. } => {
            let has = |code: &OciErrorCode| envelope.errors.iter().any(|error| error.code == *code);
            let unknown = [
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::BlobUnknown,
                OciErrorCode::NotFound,
            ];
            if has(&OciErrorCode::Denied) || has(&OciErrorCode::Unauthorized) {
                refused()
            } else if has(&OciErrorCode::Toomanyrequests) {
                format!("{registry} allows no more pulls for now; log in, or wait")
            } else if unknown.iter().any(has) {
                format!("{registry} does not have it, or not all of it")
            } else {
                format!("{registry} answers with an error")
            }
        }
        Failure::DigestError(_) => format!("{registry} sent other bytes than their digest says"),
        Failure::IoError(_) => "it could not be written to the disk".to_owned(),
        Failure::RequestError(error) if is_distrust(error) => format!(
            "the certificate of {registry} is not trusted; if a proxy inspects connections here, \
             set SSL_CERT_FILE to a file that holds its certificate"
        ),
        Failure::RequestError(error) if error.is_connect() => {
            format!("{registry} cannot be reached")
        }
        Failure::RequestError(_) => format!("the connection to {registry} broke"),
        _ => format!("{registry} answers with what is not understood"),
    };
    match failure {
        Failure::RequestError(_) => ImageError::Unreachable(reason, Some(Box::new(failure))),
        _ => ImageError::caused(reason, failure),
    }
}
