//! What finishing is to change, and what came of it.

use camino::Utf8PathBuf;
use wheelmill_model::{Digest, PackageName, Version};

/// What is changed about a wheel. With nothing set it is only written anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// The local version label, `cu130torch2.11`; see [`labelled`](crate::labelled).
    pub local_label: Option<String>,
    /// The release of a package that the wheel belongs to.
    pub pin: Option<Pin>,
    /// Requirements that METADATA lacks, `numpy>=1.26`. One that it has in these words is not added.
    pub requires: Vec<String>,
    /// The time of every file, in seconds since 1970. Default, and the least that a zip archive can
    /// hold: the first second of 1980.
    pub epoch: Option<u64>,
}

/// A release of a package: `==2.11.*` of torch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The package.
    pub package: PackageName,
    /// The first numbers of the releases that will do: 2.11.
    pub release: Version,
}

/// A finished wheel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// Its version, with the label.
    pub version: Version,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Bytes of the file.
    pub size: u64,
}
