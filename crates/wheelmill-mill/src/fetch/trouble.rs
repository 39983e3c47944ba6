//! What to say and what to do when something cannot be fetched: the same words wherever it shows.

use std::error::Error;
use std::fmt;

use reqwest::StatusCode;

use super::client::FetchError;

const CHECK_THE_NETWORK: &str = "check the network: behind a proxy set HTTPS_PROXY, behind one that inspects TLS set SSL_CERT_FILE to its certificates, for a private index set UV_DEFAULT_INDEX";

/// The package index cannot be asked.
#[derive(Debug)]
pub struct IndexError {
    /// Its address, without a password.
    pub index: String,
    /// Why.
    pub reason: FetchError,
}

impl IndexError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.reason.hint()
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the package index {} ", self.index)?;
        match &self.reason {
            FetchError::Offline { .. } => formatter.write_str("is needed, and fetching is off"),
            FetchError::Refused { status, .. } => write!(formatter, "answers {status}"),
            FetchError::Unreadable { .. } => formatter.write_str("gives no answer of an index"),
            FetchError::Settings { .. } => formatter.write_str("cannot be asked"),
            _ => formatter.write_str("cannot be reached"),
        }
    }
}

impl Error for IndexError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            // The index was named already; which of its pages was wanted tells nobody anything.
            FetchError::Unreachable { source, .. } => Some(&**source),
            FetchError::Offline { .. } | FetchError::Refused { .. } => None,
            other => Some(other),
        }
    }
}

impl FetchError {
    /// What to do about it, as far as it is the network's or the settings' fault.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Offline { .. } => "run it again without `--offline` and WHEELMILL_OFFLINE",
            Self::Refused { status, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    "give a user and a password that it accepts, as in UV_DEFAULT_INDEX=https://user:password@index.example/simple"
                }
                _ => "try again later, or set UV_DEFAULT_INDEX to another index",
            },
            Self::Unreadable { .. } => {
                "UV_DEFAULT_INDEX must be the address of a simple API, as https://pypi.org/simple"
            }
            _ => CHECK_THE_NETWORK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::brief;

    #[test]
    fn an_index_that_cannot_be_asked_is_named_once() {
        let error = |reason| IndexError { index: "https://index/simple".to_owned(), reason };
        let address = || "https://index/simple/torch/".to_owned();
        let silent = error(FetchError::Unreachable {
            address: address(),
            source: "connection refused".into(),
        });
        assert_eq!(
            brief(&silent),
            "the package index https://index/simple cannot be reached: connection refused"
        );
        let offline = error(FetchError::Offline { address: address() });
        assert_eq!(
            brief(&offline),
            "the package index https://index/simple is needed, and fetching is off"
        );
        assert!(offline.hint().contains("--offline"));
    }
}
