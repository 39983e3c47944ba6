//! GPU code in files of its own, which programs load by themselves.

use std::fmt;

use serde::{Serialize, Serializer};
use wheelmill_model::CudaArch;

use super::check::Contents;
use super::image::{Compression, Image, ImageKind};
use super::{check, header, read};
use crate::elf;
use crate::finding::Findings;
use crate::inspect::InspectOptions;
use crate::rules;

/// A file of GPU code outside of native modules. Which of several such files a program takes is its
/// own choice, so that no GPU can be said to be served or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceFile {
    /// Its path within the wheel.
    pub path: String,
    /// What sort of file it is.
    pub format: DeviceFormat,
    /// The images in it.
    pub images: Vec<Image>,
}

/// The sorts of files that hold GPU code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceFormat {
    /// Containers, as in a section of a module.
    Fatbin,
    /// One image of machine code.
    Cubin,
    /// The text of one program.
    Ptx,
}

impl DeviceFormat {
    /// How files of containers start.
    pub(crate) const FATBIN_MAGIC: &[u8] = &header::MAGIC;

    /// The sort that a file's first bytes, or its name, tell.
    pub(crate) fn of(path: &str, bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(Self::FATBIN_MAGIC) {
            Some(Self::Fatbin)
        } else if elf::is_cubin(bytes) {
            Some(Self::Cubin)
        } else if Self::is_ptx(path) && check::ptx_target(bytes).is_some() {
            Some(Self::Ptx)
        } else {
            None
        }
    }

    /// Whether a file may be PTX by its name; it starts with any comment.
    pub(crate) fn is_ptx(path: &str) -> bool {
        path.ends_with(".ptx")
    }
}

impl fmt::Display for DeviceFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Fatbin => "fatbin",
            Self::Cubin => "cubin",
            Self::Ptx => "ptx",
        })
    }
}

impl Serialize for DeviceFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a file of GPU code.
pub(crate) fn read_file(
    path: &str,
    format: DeviceFormat,
    bytes: &[u8],
    options: &InspectOptions,
    findings: &mut Findings,
) -> DeviceFile {
    let mut single = |kind, arch, contents: Result<Contents, _>| match (arch, contents) {
        (Some(arch), Ok(contents)) => vec![Image {
            kind,
            arch,
            compression: Compression::None,
            packed_size: bytes.len() as u64,
            size: bytes.len() as u64,
            version: check::ptx_version(bytes).unwrap_or_default(),
            identifier: None,
            debug: false,
            grouped: false,
            functions: Some(contents.functions),
            toolkit: contents.toolkit,
        }],
        (_, contents) => {
            let reason = contents.err().unwrap_or("it names no architecture");
            findings.add(rules::DEVICE_PAYLOAD, format!("{path}: {reason}"));
            Vec::new()
        }
    };
    let images = match format {
        DeviceFormat::Fatbin => read::read_file(path, bytes, options, findings)
            .into_iter()
            .flat_map(|one| one.images)
            .collect(),
        DeviceFormat::Cubin => {
            let arch = check::cubin_number(bytes).map(CudaArch::new);
            let contents = arch.map_or(Ok(Contents::default()), |arch| check::cubin(bytes, arch));
            single(ImageKind::Cubin, arch, contents)
        }
        DeviceFormat::Ptx => {
            let arch = check::ptx_target(bytes);
            let contents = arch.map_or(Ok(Contents::default()), |arch| check::ptx(bytes, arch));
            single(ImageKind::Ptx, arch, contents)
        }
    };
    DeviceFile { path: path.to_owned(), format, images }
}
