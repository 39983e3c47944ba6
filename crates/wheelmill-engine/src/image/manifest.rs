//! The JSON documents of images: indexes, manifests, configurations.
//!
//! Field names are those of the OCI image specification 1.1 and of Docker's "Image Manifest Version
//! 2, Schema 2", which agree in all that is read here.

use serde::{Deserialize, Serialize};
use wheelmill_model::Digest;

use super::reference::parse_digest;

/// What a container needs to know of the image it starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Environment variables: `PATH`, `CUDA_HOME`, `LD_LIBRARY_PATH`, …
    pub env: Vec<(String, String)>,
    /// The working directory that the image wishes for.
    pub working_dir: Option<String>,
    /// The user that the image wishes for, as it is written there: `name`, `uid`, `uid:gid`.
    pub user: Option<String>,
}

/// Points to a document or layer by its digest.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Descriptor {
    digest: String,
    #[serde(default)]
    pub(super) size: u64,
    platform: Option<Platform>,
}

impl Descriptor {
    pub(super) fn digest(&self) -> Result<Digest, String> {
        parse_digest(&self.digest).ok_or_else(|| {
            format!("its manifest holds `{}`, which is no SHA-256 digest", self.digest)
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// An index or a manifest: registries answer with either for the same name, and the media type is
/// not always there (OCI made it optional).
#[derive(Clone, Debug)]
pub(super) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

/// One image for one platform.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    schema_version: u64,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

impl Document {
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let raw: RawDocument = serde_json::from_slice(json)
            .map_err(|error| format!("its manifest is damaged: {error}"))?;
        match raw {
            RawDocument { schema_version: 2, manifests: Some(manifests), .. } => {
                Ok(Self::Index(manifests))
            }
            RawDocument {
                schema_version: 2, config: Some(config), layers: Some(layers), ..
            } => Ok(Self::Manifest(Manifest { config, layers })),
            RawDocument { schema_version: 1, .. } => {
                Err("it is in Docker's format of before 2016; push it again with a newer Docker"
                    .into())
            }
            _ => Err("its manifest is neither that of an image nor an index of images".into()),
        }
    }
}

/// The one manifest of an index that runs on this machine.
pub(super) fn choose(manifests: &[Descriptor], architecture: &str) -> Result<Descriptor, String> {
    let fitting: Vec<_> = manifests
        .iter()
        .filter(|entry| match &entry.platform {
            Some(platform) => platform.os == "linux" && platform.architecture == architecture,
            // A file with one image rarely says for which machine; its configuration does.
            None => manifests.len() == 1,
        })
        .collect();
    match fitting[..] {
        // Variants (arm64/v8) stand in the order of preference, so the first is right.
        [first, ..] => Ok(first.clone()),
        [] => {
            let mut offered: Vec<_> = manifests
                .iter()
                .filter_map(|entry| entry.platform.as_ref())
                .filter(|platform| platform.os != "unknown")
                .map(|platform| format!("{}/{}", platform.os, platform.architecture))
                .collect();
            offered.dedup();
            let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
            Err(format!("it has no image for linux/{architecture}; there is {offered}"))
        }
    }
}

/// An image's configuration, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    architecture: Option<String>,
    #[serde(default)]
    config: Option<RawConfig>,
    rootfs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

impl Configuration {
    pub(super) fn parse(json: &[u8], architecture: &str) -> Result<Self, String> {
        let configuration: Self = serde_json::from_slice(json)
            .map_err(|error| format!("it is not a container image: {error}"))?;
        match &configuration.architecture {
            Some(other) if !other.is_empty() && other != architecture => {
                Err(format!("it is for linux/{other}, and this machine is linux/{architecture}"))
            }
            _ => Ok(configuration),
        }
    }

    /// The digests of the uncompressed layers, lowest first.
    pub(super) fn diff_ids(&self) -> Result<Vec<Digest>, String> {
        self.rootfs
            .diff_ids
            .iter()
            .map(|text| {
                parse_digest(text).ok_or_else(|| {
                    format!("its configuration holds `{text}`, which is no SHA-256 digest")
                })
            })
            .collect()
    }

    pub(super) fn image_config(&self) -> ImageConfig {
        let Some(raw) = &self.config else { return ImageConfig::default() };
        let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        ImageConfig {
            env: raw
                .env
                .iter()
                .flatten()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            working_dir: text(&raw.working_dir),
            user: text(&raw.user),
        }
    }
}

/// This machine's architecture in the words of images, which are Go's.
pub(super) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"schemaVersion":2,"manifests":[
        {"digest":"sha256:aa","size":1,"platform":{"architecture":"arm64","os":"linux","variant":"v8"}},
        {"digest":"sha256:bb","size":1,"platform":{"architecture":"amd64","os":"windows"}},
        {"digest":"sha256:cc","size":1,"platform":{"architecture":"amd64","os":"linux"}},
        {"digest":"sha256:dd","size":1,"platform":{"architecture":"unknown","os":"unknown"}}]}"#;

    #[test]
    fn an_index_gives_the_image_for_the_machine() {
        let Ok(Document::Index(manifests)) = Document::parse(INDEX.as_bytes()) else {
            panic!("not an index");
        };
        assert_eq!(choose(&manifests, "amd64").unwrap().digest, "sha256:cc");
        assert_eq!(choose(&manifests, "arm64").unwrap().digest, "sha256:aa");
        let message = choose(&manifests, "riscv64").unwrap_err();
        assert!(message.ends_with("there is linux/arm64, windows/amd64, linux/amd64"), "{message}");
    }

    #[test]
    fn a_configuration_gives_what_containers_need() {
        let json = r#"{"architecture":"amd64","os":"linux",
            "config":{"Env":["PATH=/usr/bin","LS_COLORS=a=b","BROKEN"],"WorkingDir":"","User":"app:1"},
            "rootfs":{"type":"layers","diff_ids":[]}}"#;
        let config = Configuration::parse(json.as_bytes(), "amd64").unwrap().image_config();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(config.env, [pair("PATH", "/usr/bin"), pair("LS_COLORS", "a=b")]);
        assert_eq!((config.working_dir, config.user), (None, Some("app:1".to_owned())));
        let message = Configuration::parse(json.as_bytes(), "arm64").unwrap_err();
        assert!(message.contains("is for linux/amd64"), "{message}");
    }

    #[test]
    fn what_is_no_image_is_told_apart() {
        assert!(
            Document::parse(br#"{"schemaVersion":1,"fsLayers":[]}"#).unwrap_err().contains("2016")
        );
        assert!(Document::parse(br#"{"schemaVersion":2}"#).unwrap_err().contains("neither"));
        assert!(Document::parse(b"<html>").is_err());
    }
}
