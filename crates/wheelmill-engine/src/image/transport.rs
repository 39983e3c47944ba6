//! How registries are reached: certificates, proxies and time limits of the HTTP client.

use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use wheelmill_model::NetworkSettings;

use super::reference::ImageReference;

/// All names, and all addresses: `*` alone means names only.
const NO_PROXY_AT_ALL: &str = "*,0.0.0.0/0,::/0";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Without a single byte for so long, a connection is dead.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    /// Only for a registry on this machine.
    Http,
}

/// The client's settings for one image's registry.
pub(super) fn client_config(
    image: &ImageReference,
    network: &NetworkSettings,
    scheme: Scheme,
) -> Result<ClientConfig, String> {
    // Fails when the program has chosen a provider already, and then that one is used.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut config = ClientConfig {
        protocol: protocol(image, scheme),
        extra_root_certificates: certificates(network)?,
        // Indexes are read and chosen from by our own code, for registries and files alike.
        platform_resolver: None,
        read_timeout: Some(READ_TIMEOUT),
        connect_timeout: Some(CONNECT_TIMEOUT),
        user_agent: concat!("wheelmill/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    set_proxies(&mut config, image, network);
    Ok(config)
}

fn protocol(image: &ImageReference, scheme: Scheme) -> ClientProtocol {
    match scheme {
        // Named, so that a redirection does not take it along to another machine.
        Scheme::Http if image.is_loopback() => {
            ClientProtocol::HttpsExcept(vec![image.registry_address().to_owned()])
        }
        Scheme::Http | Scheme::Https => ClientProtocol::Https,
    }
}

/// The certificates that are trusted beside the system's own. Bundles hold old certificates that
/// cannot be read; they are left out as everybody does, for one of them must not lock out all.
fn certificates(network: &NetworkSettings) -> Result<Vec<Certificate>, String> {
    let Some(file) = &network.certificates else { return Ok(Vec::new()) };
    let text = fs_err::read(file).map_err(|error| format!("its certificates: {error}"))?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate
            .map_err(|error| format!("`{file}` is not a file of certificates: {error}"))?;
        match RootCertStore::empty().add(certificate.clone()) {
            Ok(()) => certificates.push(Certificate {
                encoding: CertificateEncoding::Der,
                data: certificate.to_vec(),
            }),
            Err(error) => tracing::debug!(%file, %error, "a certificate is not usable"),
        }
    }
    if certificates.is_empty() {
        return Err(format!("`{file}` holds no certificate that can be used"));
    }
    Ok(certificates)
}

fn set_proxies(config: &mut ClientConfig, image: &ImageReference, network: &NetworkSettings) {
    let named = |names: &[&str]| {
        let value = names.iter().find_map(|name| network.variable(name));
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let all = named(&["all_proxy", "ALL_PROXY"]);
    config.https_proxy = named(&["https_proxy", "HTTPS_PROXY"]).or_else(|| all.clone());
    config.http_proxy = named(&["http_proxy", "HTTP_PROXY"]).or(all);
    config.no_proxy = named(&["no_proxy", "NO_PROXY"]);
    let direct = config.https_proxy.is_none() && config.http_proxy.is_none();
    if direct || image.is_loopback() {
        // Without any proxy the client would look for one in this process's environment, which is
        // the caller's to read. One that is used for nothing keeps it from that.
        config.https_proxy = Some("http://localhost".to_owned());
        config.no_proxy = Some(NO_PROXY_AT_ALL.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use wheelmill_model::Secret;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> NetworkSettings {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
        NetworkSettings { variables: variables.collect(), ..NetworkSettings::default() }
    }

    #[test]
    fn proxies_come_from_the_settings_alone() {
        let config = |image: &str, variables: &[(&str, &str)]| {
            let settings = settings(variables);
            client_config(&image.parse().unwrap(), &settings, Scheme::Https).unwrap()
        };
        let proxied = config("quay.io/a/b", &[("ALL_PROXY", "socks5h://p:1"), ("NO_PROXY", "x")]);
        assert_eq!(proxied.https_proxy.as_deref(), Some("socks5h://p:1"));
        assert_eq!(proxied.no_proxy.as_deref(), Some("x"));
        let loopback = config("localhost:5000/a/b", &[("http_proxy", "http://p:1")]);
        assert_eq!(loopback.no_proxy.as_deref(), Some(NO_PROXY_AT_ALL));
        assert_eq!(config("quay.io/a/b", &[]).no_proxy.as_deref(), Some(NO_PROXY_AT_ALL));
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let protocol = |image: &str| protocol(&image.parse().unwrap(), Scheme::Http);
        assert_eq!(protocol("quay.io:80/a/b"), ClientProtocol::Https);
        assert_eq!(
            protocol("127.0.0.1:5000/a/b"),
            ClientProtocol::HttpsExcept(vec!["127.0.0.1:5000".to_owned()])
        );
    }

    #[test]
    fn a_file_without_certificates_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = camino::Utf8PathBuf::from_path_buf(folder.path().join("ca.pem")).unwrap();
        fs_err::write(&file, "nothing").unwrap();
        let network = NetworkSettings { certificates: Some(file), ..NetworkSettings::default() };
        assert!(certificates(&network).unwrap_err().contains("holds no certificate"));
    }
}
