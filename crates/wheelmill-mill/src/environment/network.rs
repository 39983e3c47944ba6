//! What of this machine's network settings a container is given while it may fetch.

use wheelmill_engine::Mount;
use wheelmill_model::NetworkSettings;

use super::paths;

/// Settings that name addresses, credentials and patience. Those that name files and folders of
/// the host mean nothing in a container and are left out.
const PASSED: [&str; 26] = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "PIP_PROXY",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX_STRATEGY",
    "UV_INSECURE_HOST",
    "UV_HTTP_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_PYPY_INSTALL_MIRROR",
    "UV_EXCLUDE_NEWER",
    "UV_CONCURRENT_DOWNLOADS",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// The names under which programs look for a certificate bundle.
const CERTIFICATE_VARIABLES: [&str; 5] =
    ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO"];

fn is_passed(name: &str) -> bool {
    let credential = name.starts_with("UV_INDEX_")
        && (name.ends_with("_USERNAME") || name.ends_with("_PASSWORD"));
    PASSED.contains(&name) || credential
}

/// The variables and mounts of a container that may fetch.
pub(crate) fn ambient(network: &NetworkSettings) -> (Vec<(String, String)>, Vec<Mount>) {
    ambient_at(network, paths::CERTIFICATES)
}

/// The same, with the certificates in another place.
pub(crate) fn ambient_at(
    network: &NetworkSettings,
    certificates: &str,
) -> (Vec<(String, String)>, Vec<Mount>) {
    let mut variables: Vec<(String, String)> = network
        .variables
        .iter()
        .filter(|(name, _)| is_passed(name))
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect();
    // uv reads no PIP_ variables: one setting of the index serves both.
    if let (Some(index), None) = (&network.index, network.variable("UV_DEFAULT_INDEX")) {
        variables.push(("UV_DEFAULT_INDEX".to_owned(), index.reveal().to_owned()));
    }
    if let (Some(extra), None) =
        (network.variable("PIP_EXTRA_INDEX_URL"), network.variable("UV_INDEX"))
    {
        variables.push(("UV_INDEX".to_owned(), extra.to_owned()));
    }
    if network.offline {
        variables
            .extend(["UV_OFFLINE", "PIP_NO_INDEX"].map(|name| (name.to_owned(), "1".to_owned())));
    }
    let mut mounts = Vec::new();
    if let Some(file) = &network.certificates {
        mounts.push(Mount { source: file.clone(), target: certificates.into(), writable: false });
        variables
            .extend(CERTIFICATE_VARIABLES.map(|name| (name.to_owned(), certificates.to_owned())));
    }
    (variables, mounts)
}

#[cfg(test)]
mod tests {
    use wheelmill_model::Secret;

    use super::*;

    #[test]
    fn containers_get_addresses_and_no_paths_of_the_host() {
        let network = NetworkSettings {
            variables: [
                ("HTTPS_PROXY", "http://proxy:3128"),
                ("PIP_FIND_LINKS", "/opt/wheels"),
                ("UV_CACHE_DIR", "/home/me/.cache/uv"),
                ("UV_INDEX_INTERNAL_PASSWORD", "secret"),
            ]
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .to_vec(),
            certificates: Some("/etc/ssl/ca.pem".into()),
            index: Some(Secret::new("https://index/simple")),
            offline: false,
        };
        let (variables, mounts) = ambient(&network);
        let value = |name: &str| {
            variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(value("HTTPS_PROXY"), Some("http://proxy:3128"));
        assert_eq!(value("UV_DEFAULT_INDEX"), Some("https://index/simple"));
        assert_eq!(value("UV_INDEX_INTERNAL_PASSWORD"), Some("secret"));
        assert_eq!(value("SSL_CERT_FILE"), Some(paths::CERTIFICATES));
        assert_eq!(value("PIP_FIND_LINKS").or(value("UV_CACHE_DIR")), None);
        assert_eq!(mounts[0].source, "/etc/ssl/ca.pem");
    }
}
