//! An image in a file or folder: what `docker save` and `podman save` write, OCI layouts, and plain
//! tars of a root.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use wheelmill_model::Digest;

use super::archive::Members;
use super::compression::{Compression, decompressed};
use super::error::ImageError;
use super::manifest::{Configuration, Document, ImageConfig, choose, host_architecture};
use super::unpack::LayerSource;
use crate::Cancel;

/// An index may point to an index; nobody nests deeper.
const MOST_INDEXES: usize = 4;

/// An image found in a file or folder.
pub(super) struct ImageFile {
    pub(super) config: ImageConfig,
    /// Lowest first.
    pub(super) layers: Vec<FileLayer>,
}

/// One layer in a file.
pub(super) struct FileLayer {
    /// The digest of the uncompressed layer; a plain tar names none.
    pub(super) diff_id: Option<Digest>,
    pub(super) source: LayerSource,
}

/// The digest that pins an image file: of all its bytes, or of an OCI layout's index, which names
/// all else by digests.
pub(super) fn digest(path: &Utf8Path, cancel: &Cancel) -> Result<Digest, ImageError> {
    let path = if path.is_dir() { path.join("index.json") } else { path.to_owned() };
    let hash = || -> io::Result<Option<Digest>> {
        let mut file = File::open(&path)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        while !cancel.is_cancelled() {
            match file.read(&mut buffer)? {
                0 => return Ok(Some(Digest::from_bytes(hash.finalize().into()))),
                count => hash.update(&buffer[..count]),
            }
        }
        Ok(None)
    };
    hash().map_err(ImageError::files("read", &path))?.ok_or(ImageError::Cancelled)
}

/// What kind of image lies in a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The tar of a root.
    Root,
    /// What `docker save` writes, or an OCI archive.
    Saved,
    /// A folder with an OCI layout.
    Layout,
}

/// Tells what kind of image a file is, by its first bytes.
pub(crate) fn form_of(path: &Utf8Path) -> io::Result<Form> {
    if path.is_dir() {
        return Ok(Form::Layout);
    }
    let reader = BufReader::new(File::open(path)?);
    Ok(if holds_images(reader)? { Form::Saved } else { Form::Root })
}

impl ImageFile {
    /// Looks into an image file. A compressed archive of layers is uncompressed to `scratch`, since
    /// its members are needed in another order than they come in; the caller removes it.
    pub(super) fn open(
        path: &Utf8Path,
        scratch: &Utf8Path,
        cancel: &Cancel,
    ) -> Result<Self, ImageError> {
        if path.is_dir() {
            return Self::layout(&Members::Folder(path.to_owned()));
        }
        let mut reader = open(path)?;
        let compression = Compression::sniff(&mut reader)
            .map_err(|error| ImageError::caused("it cannot be read", error))?;
        if !holds_images(reader).map_err(|error| ImageError::caused("it is no tar", error))? {
            let length = std::fs::metadata(path).map_err(ImageError::files("read", path))?.len();
            let source = LayerSource { file: path.to_owned(), offset: 0, length };
            let layers = vec![FileLayer { diff_id: None, source }];
            return Ok(Self { config: ImageConfig::default(), layers });
        }
        let tar = match compression {
            Compression::None => path.to_owned(),
            Compression::Gzip | Compression::Zstd => uncompress(path, scratch, cancel)?,
        };
        let members = Members::of_tar(&tar)?;
        if members.find("manifest.json").is_some() {
            Self::docker(&members)
        } else if members.find("index.json").is_some() {
            Self::layout(&members)
        } else if members.find("repositories").is_some() {
            Err(ImageError::reason(
                "it was saved by Docker before 1.10; load and save it with a newer one",
            ))
        } else {
            Err(ImageError::reason("it holds neither `manifest.json` nor `index.json`"))
        }
    }

    /// What `docker save` writes: `manifest.json` names a configuration and layers.
    fn docker(members: &Members) -> Result<Self, ImageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Saved {
            config: String,
            layers: Vec<String>,
            repo_tags: Option<Vec<String>>,
        }
        let images: Vec<Saved> = serde_json::from_slice(&members.read("manifest.json")?)
            .map_err(|error| ImageError::caused("its `manifest.json` is damaged", error))?;
        let [image] = &images[..] else {
            let tags = images.iter().flat_map(|image| image.repo_tags.iter().flatten());
            let tags = tags.map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(ImageError::reason(format!(
                "it holds {} images ({tags}); save the one that is meant",
                images.len()
            )));
        };
        Self::assemble(members, &members.read(&image.config)?, &image.layers)
    }

    /// An OCI layout: `index.json` leads to manifests by their digests.
    fn layout(members: &Members) -> Result<Self, ImageError> {
        let architecture = host_architecture();
        let mut document = Document::parse(&members.read("index.json")?)?;
        for _ in 0..MOST_INDEXES {
            match document {
                Document::Index(manifests) => {
                    let chosen = choose(&manifests, architecture)?.digest()?;
                    document = Document::parse(&read_blob(members, chosen)?)?;
                }
                Document::Manifest(manifest) => {
                    let config = read_blob(members, manifest.config.digest()?)?;
                    let layers: Vec<_> = manifest
                        .layers
                        .iter()
                        .map(|layer| layer.digest().map(blob_name))
                        .collect::<Result<_, _>>()?;
                    return Self::assemble(members, &config, &layers);
                }
            }
        }
        Err(ImageError::reason("its indexes are nested too deep"))
    }

    fn assemble(members: &Members, config: &[u8], layers: &[String]) -> Result<Self, ImageError> {
        let configuration = Configuration::parse(config, host_architecture())?;
        let diff_ids = configuration.diff_ids()?;
        if diff_ids.len() != layers.len() {
            return Err(ImageError::reason("its configuration and its layers do not fit together"));
        }
        let layers = layers
            .iter()
            .zip(diff_ids)
            .map(|(name, diff_id)| {
                let source = members
                    .find(name)
                    .ok_or_else(|| ImageError::reason(format!("its layer `{name}` is missing")))?;
                Ok(FileLayer { diff_id: Some(diff_id), source })
            })
            .collect::<Result<_, ImageError>>()?;
        Ok(Self { config: configuration.image_config(), layers })
    }
}

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{digest}")
}

fn read_blob(members: &Members, digest: Digest) -> Result<Vec<u8>, ImageError> {
    let name = blob_name(digest);
    let bytes = members.read(&name)?;
    if Digest::of(&bytes) != digest {
        return Err(ImageError::reason(format!("`{name}` holds other bytes than its digest says")));
    }
    Ok(bytes)
}

fn open(path: &Utf8Path) -> Result<BufReader<File>, ImageError> {
    let file = File::open(path).map_err(ImageError::files("read", path))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// Whether a tar holds images rather than the files of a root: its first member says so, as no root
/// begins with one of these names.
fn holds_images(reader: impl io::BufRead) -> io::Result<bool> {
    let mut archive = tar::Archive::new(decompressed(reader)?);
    for entry in archive.entries()? {
        let entry = entry?;
        let name = entry.path_bytes();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let first = name.split(|&byte| byte == b'/').next().unwrap_or_default();
        if matches!(first, b"" | b".") {
            continue;
        }
        // Docker and podman name folders, layers and configurations by 64 digits.
        let hexadecimal =
            first.len() >= 64 && first[..64].iter().all(|byte| byte.is_ascii_hexdigit());
        return Ok(hexadecimal
            || [&b"blobs"[..], b"index.json", b"manifest.json", b"oci-layout", b"repositories"]
                .contains(&first));
    }
    Ok(false)
}

/// Uncompresses an archive beside the layers; what an earlier process finished is used again.
fn uncompress(
    path: &Utf8Path,
    scratch: &Utf8Path,
    cancel: &Cancel,
) -> Result<Utf8PathBuf, ImageError> {
    if scratch.exists() {
        return Ok(scratch.to_owned());
    }
    let unfinished = Utf8PathBuf::from(format!("{scratch}.part"));
    let mut stream = decompressed(open(path)?)
        .map_err(|error| ImageError::caused("it cannot be uncompressed", error))?;
    let file = File::create(&unfinished).map_err(ImageError::files("create", &unfinished))?;
    let mut writer = BufWriter::new(file);
    let mut buffer = vec![0; 256 << 10];
    loop {
        if cancel.is_cancelled() {
            return Err(ImageError::Cancelled);
        }
        let count = stream
            .read(&mut buffer)
            .map_err(|error| ImageError::caused("it cannot be uncompressed", error))?;
        if count == 0 {
            break;
        }
        writer.write_all(&buffer[..count]).map_err(ImageError::files("write", &unfinished))?;
    }
    writer.flush().map_err(ImageError::files("write", &unfinished))?;
    fs_err::rename(&unfinished, scratch).map_err(ImageError::files("rename", &unfinished))?;
    Ok(scratch.to_owned())
}
