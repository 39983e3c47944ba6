//! Where images are kept, and how two processes share the place.
//!
//! Below the store's folder:
//!
//! ```text
//! images/blobs/…               layers on their way; gone once they are unpacked
//! images/layers/MODE/DIFF-ID   layer folders, complete whenever they are there
//! images/records/DIGEST.json   what a pinned image consists of
//! images/locks/DIGEST          held by whoever makes the thing of that digest
//! ```
//!
//! Everything is made under another name beside its place and then renamed, so a process that dies
//! leaves nothing half-made that looks whole.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use wheelmill_model::Digest;

use super::error::ImageError;
use super::manifest::ImageConfig;
use super::remove::remove_tree;
use super::unpack::XattrMode;
use crate::Cancel;

const LOCK_POLL: Duration = Duration::from_millis(50);

/// What a pinned image consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) config: ImageConfig,
    /// Lowest first.
    pub(super) layers: Vec<LayerRecord>,
}

/// One layer of an image, and where it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LayerRecord {
    /// The digest of the uncompressed layer, which names its folder.
    pub(super) diff_id: Digest,
    /// The digest in the registry, if the image comes from one.
    pub(super) blob: Option<Digest>,
    /// In bytes, as it is fetched or read.
    pub(super) size: u64,
}

/// The folder that images are kept in.
pub(super) struct ImageStore {
    root: Utf8PathBuf,
}

impl ImageStore {
    pub(super) fn open(store: &Utf8Path) -> Result<Self, ImageError> {
        let root = store.join("images");
        let create = |path: &Utf8Path, mode| {
            let mut builder = std::fs::DirBuilder::new();
            builder
                .recursive(true)
                .mode(mode)
                .create(path)
                .map_err(ImageError::files("create", path))
        };
        for folder in ["blobs", "records", "locks"] {
            create(&root.join(folder), 0o755)?;
        }
        for mode in [XattrMode::Trusted, XattrMode::User] {
            // Images hold set-user-id programs with known holes: not for the machine's other users.
            create(&root.join("layers"), 0o700)?;
            create(&root.join("layers").join(mode.as_str()), 0o700)?;
        }
        Ok(Self { root })
    }

    /// The folder of a layer, there or not.
    pub(super) fn layer(&self, mode: XattrMode, diff_id: Digest) -> Utf8PathBuf {
        self.root.join("layers").join(mode.as_str()).join(diff_id.to_string())
    }

    /// Where a layer is made before it has its name; `key` is what its maker has locked.
    pub(super) fn unfinished_layer(&self, mode: XattrMode, key: Digest) -> Utf8PathBuf {
        self.root.join("layers").join(mode.as_str()).join(format!(".new-{key}"))
    }

    /// Gives a finished layer its name.
    pub(super) fn finish_layer(
        &self,
        mode: XattrMode,
        unfinished: &Utf8Path,
        diff_id: Digest,
    ) -> Result<(), ImageError> {
        let path = self.layer(mode, diff_id);
        match fs_err::rename(unfinished, &path) {
            // A plain tar turned out to be a layer that is there already: equal digests, equal
            // content.
            Err(_) if path.exists() => remove_tree(unfinished.as_std_path())
                .map_err(ImageError::files("remove", unfinished)),
            other => other.map_err(ImageError::files("rename", unfinished)),
        }
    }

    /// The file of a fetched layer, there or not. The name holds both digests, since an image may
    /// lie about which belongs to which.
    pub(super) fn blob(&self, diff_id: Digest, blob: Digest) -> Utf8PathBuf {
        self.root.join("blobs").join(format!("{diff_id}.{blob}"))
    }

    /// Where an archive of that digest is uncompressed to.
    pub(super) fn scratch(&self, archive: Digest) -> Utf8PathBuf {
        self.root.join("blobs").join(format!("{archive}.tar"))
    }

    /// Waits until no other process makes the thing of that digest, and then keeps others away.
    pub(super) fn lock(&self, key: Digest, cancel: &Cancel) -> Result<Lock, ImageError> {
        let path = self.root.join("locks").join(key.to_string());
        let file = File::create(&path).map_err(ImageError::files("create", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if cancel.is_cancelled() => {
                    return Err(ImageError::Cancelled);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::Error(source)) => {
                    return Err(ImageError::files("lock", &path)(source));
                }
            }
        }
    }

    /// What is known of an image; `None` when nothing is, or when it was written by another version.
    pub(super) fn record(&self, key: Digest) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(self.record_path(key)).ok()?).ok()
    }

    /// Keeps what is known of an image.
    pub(super) fn save_record(&self, key: Digest, record: &Record) -> Result<(), ImageError> {
        let path = self.record_path(key);
        let json = serde_json::to_vec_pretty(record).expect("a record is plain data");
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(self.root.join("records"))?;
            file.write_all(&json)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        };
        write().map(drop).map_err(ImageError::files("write", &path))
    }

    fn record_path(&self, key: Digest) -> Utf8PathBuf {
        self.root.join("records").join(format!("{key}.json"))
    }
}

/// Held until it is dropped, or the process ends in whatever way.
pub(super) struct Lock {
    _file: File,
}
