//! A layer to unpack as plain data, so that another process can do it: the one that stands in the
//! right user namespace.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::DirBuilderExt as _;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use wheelmill_model::Digest;

use super::{UnpackError, unpack};
use crate::Cancel;
use crate::image::remove::remove_tree;

/// How layers are marked for overlays, and so who can use them. The two kinds cannot be exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum XattrMode {
    /// `trusted.overlay.*`, by and for root; owners are kept exactly.
    Trusted,
    /// `user.overlay.*`, by and for a user (namespace); owners are kept where they are mapped.
    User,
}

impl XattrMode {
    /// The name of the folder that keeps its layers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::User => "user",
        }
    }
}

/// How a layer is unpacked.
#[derive(Clone, Copy, Debug)]
pub struct UnpackOptions {
    /// How whiteouts are marked and how exact owners are.
    pub mode: XattrMode,
    /// What the uncompressed stream must hash to, when the image names it.
    pub diff_id: Option<Digest>,
}

/// What came of unpacking a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The digest of the uncompressed stream.
    pub diff_id: Digest,
    /// Entries of the tar.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Device nodes that were left out.
    pub devices_skipped: u64,
    /// Files and folders whose owner could not be kept.
    pub owners_lost: u64,
    /// Extended attributes that could not be kept.
    pub attributes_lost: u64,
}

impl Default for Unpacked {
    fn default() -> Self {
        Self {
            diff_id: Digest::of(b""),
            entries: 0,
            bytes: 0,
            devices_skipped: 0,
            owners_lost: 0,
            attributes_lost: 0,
        }
    }
}

/// Where the bytes of a layer are: a file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSource {
    /// The file: of the store, or the user's archive.
    pub file: Utf8PathBuf,
    /// Where in it the layer begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// One layer to unpack. It holds all that is needed, so that it can be sent to a helper process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpackJob {
    /// What is unpacked.
    pub source: LayerSource,
    /// Into where: made by the job; what an interrupted job left there is removed first.
    pub folder: Utf8PathBuf,
    /// For whom.
    pub mode: XattrMode,
    /// The digest of the uncompressed stream, when the image names it.
    pub diff_id: Option<Digest>,
}

impl UnpackJob {
    /// Unpacks the layer, and makes sure that it is on the disk.
    ///
    /// # Errors
    /// See [`unpack`]. The folder is removed then.
    pub fn run(&self, cancel: &Cancel) -> Result<Unpacked, UnpackError> {
        let result = self.try_run(cancel);
        if result.is_err() {
            // The error that counts is the one of unpacking; leftovers are removed next time.
            drop(remove_tree(self.folder.as_std_path()));
        }
        result
    }

    fn try_run(&self, cancel: &Cancel) -> Result<Unpacked, UnpackError> {
        let folder = self.folder.as_std_path();
        let path = self.source.file.as_std_path();
        let open = |source| UnpackError::Open { path: path.to_owned(), source };
        let mut file = std::fs::File::open(path).map_err(open)?;
        file.seek(SeekFrom::Start(self.source.offset)).map_err(open)?;
        remove_tree(folder).map_err(UnpackError::write("remove the unfinished", folder))?;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(UnpackError::write("create the folder", folder))?;
        let options = UnpackOptions { mode: self.mode, diff_id: self.diff_id };
        let unpacked = unpack(file.take(self.source.length), folder, &options, cancel)?;
        sync(folder).map_err(UnpackError::write("write out", folder))?;
        Ok(unpacked)
    }
}

/// Writes out the whole file system of a folder: one call for what would be 100,000 files.
fn sync(folder: &std::path::Path) -> std::io::Result<()> {
    let handle = std::fs::File::open(folder)?;
    Ok(nix::unistd::syncfs(&handle)?)
}
