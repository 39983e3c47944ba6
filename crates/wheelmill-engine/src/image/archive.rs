//! Files within an archive or folder, found without unpacking it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};
use tar::EntryType;

use super::error::ImageError;
use super::unpack::LayerSource;

/// An archive of images holds some hundred members. More headers than this are not one.
const MOST_HEADER_BYTES: u64 = 64 << 20;
/// Manifests and configurations are read into memory; real ones have some kilobytes.
const MOST_DOCUMENT_BYTES: u64 = 16 << 20;
const MOST_LINKS: usize = 8;

/// The files of an OCI layout or of what `docker save` writes.
pub(super) enum Members {
    /// In a folder.
    Folder(Utf8PathBuf),
    /// In an uncompressed tar.
    Tar { file: Utf8PathBuf, members: HashMap<String, Member> },
}

/// A member of a tar.
pub(super) enum Member {
    File {
        offset: u64,
        length: u64,
    },
    /// `docker save` once wrote equal layers as links to each other.
    Link(String),
}

impl Members {
    /// Finds out what is in a tar, reading its headers alone.
    pub(super) fn of_tar(path: &Utf8Path) -> Result<Self, ImageError> {
        let index = || {
            let reader = Headers { file: File::open(path)?, left: MOST_HEADER_BYTES };
            let mut members = HashMap::new();
            for entry in tar::Archive::new(reader).entries_with_seek()? {
                let entry = entry?;
                let name = entry.path_bytes();
                let Some(name) = std::str::from_utf8(&name).ok().and_then(|name| resolve("", name))
                else {
                    continue;
                };
                let link = entry.link_name_bytes();
                let link = link.as_deref().and_then(|link| std::str::from_utf8(link).ok());
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let member = match (entry.header().entry_type(), link) {
                    (EntryType::Regular | EntryType::Continuous, _) => {
                        Member::File { offset: entry.raw_file_position(), length: entry.size() }
                    }
                    (EntryType::Symlink, Some(link)) => match resolve(folder, link) {
                        Some(target) => Member::Link(target),
                        None => continue,
                    },
                    (EntryType::Link, Some(link)) => match resolve("", link) {
                        Some(target) => Member::Link(target),
                        None => continue,
                    },
                    _ => continue,
                };
                members.insert(name, member);
            }
            Ok(members)
        };
        let members = index()
            .map_err(|error: io::Error| ImageError::caused("it is damaged or no archive", error))?;
        Ok(Self::Tar { file: path.to_owned(), members })
    }

    /// Where the bytes of a member are; `None` when there is none of that name.
    pub(super) fn find(&self, name: &str) -> Option<LayerSource> {
        match self {
            Self::Folder(folder) => {
                let file = folder.join(resolve("", name)?);
                let length = std::fs::metadata(&file).ok()?.len();
                Some(LayerSource { file, offset: 0, length })
            }
            Self::Tar { file, members } => {
                let mut name = resolve("", name)?;
                for _ in 0..MOST_LINKS {
                    match members.get(&name)? {
                        Member::Link(target) => name.clone_from(target),
                        Member::File { offset, length } => {
                            let (offset, length) = (*offset, *length);
                            return Some(LayerSource { file: file.clone(), offset, length });
                        }
                    }
                }
                None
            }
        }
    }

    /// The content of a member that must be there.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let source = self
            .find(name)
            .ok_or_else(|| ImageError::reason(format!("`{name}` is missing in it")))?;
        if source.length > MOST_DOCUMENT_BYTES {
            return Err(ImageError::reason(format!("`{name}` in it is too long")));
        }
        let read = || {
            let mut file = File::open(&source.file)?;
            file.seek(SeekFrom::Start(source.offset))?;
            let mut bytes = Vec::new();
            file.take(source.length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(ImageError::files("read", &source.file))
    }
}

/// A name below the archive's root, seen from a folder in it; `None` when it leads out.
fn resolve(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A tar of which only headers are read: more of them than an image has are refused.
struct Headers {
    file: File,
    left: u64,
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it has too many or too long headers")
        })?;
        Ok(count)
    }
}

impl Seek for Headers {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_archive() {
        assert_eq!(resolve("abc", "../def/layer.tar").as_deref(), Some("def/layer.tar"));
        assert_eq!(resolve("", "./manifest.json").as_deref(), Some("manifest.json"));
        assert_eq!(resolve("", "/etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(resolve("abc", "../../etc/passwd"), None);
    }
}
