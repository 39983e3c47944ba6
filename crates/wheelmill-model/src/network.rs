//! How this machine reaches indexes and registries.

use std::fmt;

use camino::Utf8PathBuf;

/// A text that must not be printed: it shows as `…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Proxies, indexes and certificates, as the caller's environment and configuration name them.
/// Values may hold passwords, so they are secret. Containers see them only while they may fetch.
#[derive(Clone, Debug, Default)]
pub struct NetworkSettings {
    /// `PIP_*`, `UV_*` and `*_PROXY` variables to pass into a container that may fetch.
    pub variables: Vec<(String, Secret)>,
    /// The file of trusted certificates, when the machine names one or has one in a known place.
    pub certificates: Option<Utf8PathBuf>,
    /// The package index, when it is not PyPI: the base address of its simple API.
    pub index: Option<Secret>,
    /// Nothing may be fetched.
    pub offline: bool,
}

impl NetworkSettings {
    /// The value of a variable, by its exact name.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.reveal())
    }
}
