//! Makes layers and images by hand, also such as no honest tool writes.

use std::collections::BTreeMap;
use std::io::Write as _;

use camino::Utf8Path;
use serde_json::{Value, json};
use tar::{EntryType, Header};
use wheelmill_model::Digest;

/// A layer in the making.
#[derive(Default)]
pub(crate) struct Layer(Vec<u8>);

impl Layer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn folder(self, name: &str, mode: u32) -> Self {
        self.entry(EntryType::Directory, name, "", b"", |header| header.set_mode(mode))
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes(), |_| {})
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"", |_| {})
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"", |_| {})
    }

    /// An entry whose name and link are written as they are: the `tar` crate would refuse some.
    pub(crate) fn entry(
        mut self,
        kind: EntryType,
        name: &str,
        link: &str,
        content: &[u8],
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        let raw = header.as_old_mut();
        raw.name[..name.len()].copy_from_slice(name.as_bytes());
        raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
        change(&mut header);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Extended attributes of the next entry.
    pub(crate) fn attributes(self, attributes: &[(&str, &[u8])]) -> Self {
        let mut records = Vec::new();
        for (name, value) in attributes {
            let body = [b" SCHILY.xattr.", name.as_bytes(), b"=", value, b"\n"].concat();
            // A record's length counts its own digits.
            let length = (1..).find(|digits| (digits + body.len()).to_string().len() == *digits);
            records.extend((length.unwrap() + body.len()).to_string().into_bytes());
            records.extend(body);
        }
        self.entry(EntryType::XHeader, "pax", "", &records, |_| {})
    }

    /// The tar, ended as it should be.
    pub(crate) fn tar(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// An image: all its documents and layers by their digests.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(crate) manifest: Digest,
    pub(crate) config: Digest,
    /// As they are kept, lowest first.
    pub(crate) layers: Vec<Digest>,
    pub(crate) diff_ids: Vec<Digest>,
}

impl Image {
    /// From uncompressed layers and what to do with each before it is kept.
    pub(crate) fn new(tars: &[Vec<u8>], compress: fn(&[u8]) -> Vec<u8>) -> Self {
        Self::for_architecture(tars, compress, architecture())
    }

    pub(crate) fn for_architecture(
        tars: &[Vec<u8>],
        compress: fn(&[u8]) -> Vec<u8>,
        architecture: &str,
    ) -> Self {
        let mut blobs = BTreeMap::new();
        let mut keep = |bytes: Vec<u8>| {
            let digest = Digest::of(&bytes);
            blobs.insert(digest, bytes);
            digest
        };
        let diff_ids: Vec<_> = tars.iter().map(|tar| Digest::of(tar)).collect();
        let layers: Vec<_> = tars.iter().map(|tar| keep(compress(tar))).collect();
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": {"Env": ["PATH=/usr/bin:/bin", "CUDA_HOME=/usr/local/cuda"],
                       "WorkingDir": "/work", "User": "builder"},
            "rootfs": {"type": "layers", "diff_ids": diff_ids.iter().map(named).collect::<Vec<_>>()},
        });
        let config = keep(to_bytes(&config));
        let mut image = Self { blobs, manifest: config, config, layers, diff_ids };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": image.descriptor(config, "application/vnd.oci.image.config.v1+json"),
            "layers": image.layers.iter()
                .map(|layer| image.descriptor(*layer, "application/vnd.oci.image.layer.v1.tar"))
                .collect::<Vec<_>>(),
        });
        image.manifest = image.add(&manifest);
        image
    }

    pub(crate) fn add(&mut self, document: &Value) -> Digest {
        let bytes = to_bytes(document);
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }

    fn descriptor(&self, digest: Digest, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": named(&digest), "size": self.blobs[&digest].len()})
    }

    /// An index that leads to this image for this machine.
    pub(crate) fn index(&self) -> Value {
        let entry = |digest: &Digest, architecture: &str| {
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json",
                   "digest": named(digest), "size": 1,
                   "platform": {"os": "linux", "architecture": architecture}})
        };
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
               "manifests": [entry(&Digest::of(b"another"), "s390x"),
                             entry(&self.manifest, architecture())]})
    }

    /// The files of an OCI layout.
    pub(crate) fn layout(&self) -> Vec<(String, Vec<u8>)> {
        let blobs = self.blobs.iter();
        let mut files: Vec<_> = blobs
            .map(|(digest, bytes)| (format!("blobs/sha256/{digest}"), bytes.clone()))
            .collect();
        files.push(("index.json".into(), to_bytes(&self.index())));
        files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        files
    }

    /// The files that `docker save` wrote before version 25.
    pub(crate) fn saved(&self, tags: &[&str]) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![(format!("{}.json", self.config), self.blobs[&self.config].clone())];
        let names = self.diff_ids.iter().map(|id| format!("{id}/layer.tar")).collect::<Vec<_>>();
        for (name, layer) in names.iter().zip(&self.layers) {
            files.push((name.clone(), self.blobs[layer].clone()));
        }
        let images: Vec<_> = tags
            .iter()
            .map(|tag| {
                json!({"Config": format!("{}.json", self.config), "RepoTags": [tag], "Layers": names})
            })
            .collect();
        files.push(("manifest.json".into(), to_bytes(&Value::from(images))));
        files.push(("repositories".into(), b"{}".to_vec()));
        files
    }
}

pub(crate) fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut layer = Layer::new();
    for (name, bytes) in files {
        layer = layer.entry(EntryType::Regular, name, "", bytes, |_| {});
    }
    layer.tar()
}

pub(crate) fn write_folder(files: &[(String, Vec<u8>)], folder: &Utf8Path) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
}

pub(crate) fn named(digest: &Digest) -> String {
    format!("sha256:{digest}")
}

fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}
