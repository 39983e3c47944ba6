//! The names of images in registries.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use oci_client::Reference;
use wheelmill_model::Digest;

/// The name of an image in a registry, as people write it for Docker: without a registry it is
/// `docker.io`, without a tag or digest it is `latest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageReference(Reference);

impl ImageReference {
    /// The digest, when the name holds one: then it means the same bytes for ever.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.0.digest().and_then(parse_digest)
    }

    /// The same image, pinned. A tag beside the digest would only pretend to matter, so it goes.
    pub(super) fn with_digest(&self, digest: Digest) -> Self {
        Self(self.0.clone_with_digest(format!("sha256:{digest}")))
    }

    /// As the client takes it.
    pub(super) const fn as_client(&self) -> &Reference {
        &self.0
    }

    /// The registry as people write it: `docker.io`, `localhost:5000`.
    pub(super) fn registry(&self) -> &str {
        self.0.registry()
    }

    /// The path in the registry: `library/debian`.
    pub(super) fn repository(&self) -> &str {
        self.0.repository()
    }

    /// The address of the registry: `index.docker.io` for `docker.io`.
    pub(super) fn registry_address(&self) -> &str {
        self.0.resolve_registry()
    }

    /// Whether the registry is on this machine, where plain http is as safe as anything.
    pub(super) fn is_loopback(&self) -> bool {
        let registry = self.registry_address();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        host == "localhost" || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
    }
}

impl FromStr for ImageReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reference: Reference = text.parse().map_err(|error| {
            format!("`{text}` is not the name of an image ({error}); an example: debian:12")
        })?;
        if let Some(digest) = reference.digest()
            && parse_digest(digest).is_none()
        {
            return Err(format!("`{digest}` is not a digest that is understood: use sha256"));
        }
        Ok(Self(reference))
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.digest().is_none() {
            return fmt::Display::fmt(&self.0, formatter);
        }
        // With both, the digest decides.
        let (registry, repository) = (self.registry(), self.repository());
        write!(formatter, "{registry}/{repository}@{}", self.0.digest().unwrap_or_default())
    }
}

/// The digest in `sha256:…`, the only algorithm that registries are required to know.
pub(super) fn parse_digest(text: &str) -> Option<Digest> {
    text.strip_prefix("sha256:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_mean_the_docker_hub() {
        let whole = |text: &str| text.parse::<ImageReference>().unwrap().to_string();
        assert_eq!(whole("debian"), "docker.io/library/debian:latest");
        assert_eq!(
            whole("nvidia/cuda:13.0.0-devel-ubi9"),
            "docker.io/nvidia/cuda:13.0.0-devel-ubi9"
        );
        assert_eq!(whole("localhost:5000/a/b"), "localhost:5000/a/b:latest");
    }

    #[test]
    fn a_digest_pins_and_a_tag_beside_it_goes() {
        let digest = Digest::of(b"manifest");
        let pinned: ImageReference = format!("quay.io/a/b:1@sha256:{digest}").parse().unwrap();
        assert_eq!(pinned.digest(), Some(digest));
        assert_eq!(pinned.to_string(), format!("quay.io/a/b@sha256:{digest}"));
        let tagged: ImageReference = "quay.io/a/b:1".parse().unwrap();
        assert_eq!(tagged.digest(), None);
        assert_eq!(tagged.with_digest(digest).to_string(), pinned.to_string());
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let is_loopback = |text: &str| text.parse::<ImageReference>().unwrap().is_loopback();
        for name in ["localhost/a", "localhost:5000/a", "127.0.0.1:5000/a", "127.8.0.1/a"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["debian", "localhost.example.org/a", "10.0.0.1:5000/a", "quay.io/127.0.0.1/a"]
        {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "Debian", "a b", "debian@sha256:12", "https://quay.io/a", "a/../b"] {
            assert!(name.parse::<ImageReference>().is_err(), "{name}");
        }
        let sha512 = format!("debian@sha512:{}", "0".repeat(128));
        assert!(sha512.parse::<ImageReference>().is_err());
    }
}
