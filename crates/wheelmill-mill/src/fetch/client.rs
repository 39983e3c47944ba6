//! The one HTTP client: proxies and certificates as the settings say, every file hash-checked.

use std::io::{Read, Write};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use reqwest::blocking::Response;
use reqwest::{Certificate, Proxy, StatusCode};
use sha2::{Digest as _, Sha256};
use wheelmill_engine::Cancel;
use wheelmill_model::{Digest, NetworkSettings};

use super::turns::Turns;

/// A connection or a single read that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The settings forbid it.
    #[error("`{address}` is needed and fetching is off")]
    Offline {
        /// What was wanted.
        address: String,
    },
    /// The certificates or a proxy of the settings cannot be used.
    #[error("the network settings cannot be used: {what}")]
    Settings {
        /// Which setting.
        what: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// No answer, or it broke off.
    #[error("`{address}` could not be reached")]
    Unreachable {
        /// What was wanted.
        address: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server said that there is no such thing.
    #[error("`{address}` does not exist")]
    NotFound {
        /// What was wanted.
        address: String,
    },
    /// The server refused.
    #[error("`{address}` answered {status}")]
    Refused {
        /// What was wanted.
        address: String,
        /// The status line.
        status: StatusCode,
    },
    /// The answer is not what such an address gives.
    #[error("`{address}` gave an answer that cannot be read: {reason}")]
    Unreadable {
        /// What was wanted.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// What came is not what was promised.
    #[error(
        "`{address}` has the hash {found} and {wanted} was promised: it was changed on the way or at its source; nothing was kept"
    )]
    HashMismatch {
        /// What was wanted.
        address: String,
        /// The promised hash.
        wanted: Digest,
        /// The hash of what came.
        found: Digest,
    },
    /// It could not be written down.
    #[error("could not write `{path}`")]
    Write {
        /// Where to.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Cancelled,
}

/// Fetches over HTTP.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::blocking::Client,
    offline: bool,
    /// Two cells that want one file bring it once.
    files: Turns,
}

/// Removes user and password from an address that is shown to people.
pub(crate) fn shown(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) =
                rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            path.map_or_else(
                || format!("{scheme}://{host}"),
                |path| format!("{scheme}://{host}/{path}"),
            )
        }
        None => address.to_owned(),
    }
}

impl Client {
    pub(crate) fn new(network: &NetworkSettings) -> Result<Self, FetchError> {
        let settings = |what: String, source: Option<Box<dyn std::error::Error + Send + Sync>>| {
            FetchError::Settings { what, source }
        };
        // Another crate may have installed it first; either is the same provider.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::blocking::Client::builder()
            .user_agent(concat!("wheelmill/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(20))
            .no_proxy();
        if let Some(file) = &network.certificates {
            let text = fs_err::read(file).map_err(|error| {
                settings(format!("certificates in `{file}`"), Some(error.into()))
            })?;
            let bundle = Certificate::from_pem_bundle(&text).map_err(|error| {
                settings(format!("certificates in `{file}`"), Some(error.into()))
            })?;
            builder = builder.tls_certs_only(bundle);
        }
        let exceptions = ["no_proxy", "NO_PROXY"]
            .iter()
            .find_map(|name| network.variable(name))
            .and_then(reqwest::NoProxy::from_string);
        for (names, make) in [
            (["https_proxy", "HTTPS_PROXY"], Proxy::https as fn(String) -> reqwest::Result<Proxy>),
            (["http_proxy", "HTTP_PROXY"], Proxy::http),
            (["all_proxy", "ALL_PROXY"], Proxy::all),
        ] {
            let value = names.iter().find_map(|name| network.variable(name));
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let proxy = make(value.to_owned()).map_err(|error| {
                    settings(format!("the variable {}", names[1]), Some(error.into()))
                })?;
                builder = builder.proxy(proxy.no_proxy(exceptions.clone()));
            }
        }
        let http = builder
            .build()
            .map_err(|error| settings("the HTTP client".to_owned(), Some(error.into())))?;
        Ok(Self { http, offline: network.offline, files: Turns::default() })
    }

    fn get(&self, address: &str, accept: Option<&str>) -> Result<Response, FetchError> {
        if self.offline {
            return Err(FetchError::Offline { address: shown(address) });
        }
        let mut request = self.http.get(address);
        if let Some(accept) = accept {
            request = request.header("Accept", accept);
        }
        let response = request.send().map_err(|error| FetchError::Unreachable {
            address: shown(address),
            source: error.without_url().into(),
        })?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(FetchError::NotFound { address: shown(address) })
            }
            status => Err(FetchError::Refused { address: shown(address), status }),
        }
    }

    /// Asks a server for anything at all, and gives the address without a password. That it has no
    /// such page, or shows it to nobody, is an answer.
    pub(crate) fn reach(&self, address: &str) -> Result<String, FetchError> {
        match self.get(address, None) {
            Ok(_) | Err(FetchError::NotFound { .. }) => Ok(shown(address)),
            Err(FetchError::Refused { status, .. }) if status.is_client_error() => {
                Ok(shown(address))
            }
            Err(error) => Err(error),
        }
    }

    /// A page of at most `limit` bytes, with its content type.
    pub(crate) fn page(
        &self,
        address: &str,
        accept: &str,
        limit: u64,
    ) -> Result<(String, Vec<u8>), FetchError> {
        let response = self.get(address, Some(accept))?;
        let kind = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut body = Vec::new();
        response.take(limit + 1).read_to_end(&mut body).map_err(|error| {
            FetchError::Unreachable { address: shown(address), source: error.into() }
        })?;
        if body.len() as u64 > limit {
            let reason = format!("it is longer than {limit} bytes");
            return Err(FetchError::Unreadable { address: shown(address), reason });
        }
        Ok((kind, body))
    }

    /// Fetches a file into `folder` under its hash, unless it is there already. The file appears
    /// whole or not at all.
    pub(crate) fn file(
        &self,
        address: &str,
        wanted: Digest,
        folder: &Utf8Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
        cancel: &Cancel,
    ) -> Result<Utf8PathBuf, FetchError> {
        let target = folder.join(wanted.to_string());
        if target.is_file() {
            return Ok(target);
        }
        let _turn = self.files.take(wanted, cancel).ok_or(FetchError::Cancelled)?;
        if target.is_file() {
            return Ok(target);
        }
        let write = |source| FetchError::Write { path: target.clone(), source };
        fs_err::create_dir_all(folder).map_err(write)?;
        let mut response = self.get(address, None)?;
        let total = response.content_length();
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        loop {
            if cancel.is_cancelled() {
                return Err(FetchError::Cancelled);
            }
            let count = response.read(&mut buffer).map_err(|error| FetchError::Unreachable {
                address: shown(address),
                source: error.into(),
            })?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(write)?;
            done += count as u64;
            progress(done, total);
        }
        let found = Digest::from_bytes(hash.finalize().into());
        if found != wanted {
            return Err(FetchError::HashMismatch { address: shown(address), wanted, found });
        }
        file.as_file().sync_all().map_err(write)?;
        file.persist(&target).map_err(|error| write(error.error))?;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("https://me:secret@host/a@b"), "https://host/a@b");
        assert_eq!(shown("https://host"), "https://host");
    }
}
