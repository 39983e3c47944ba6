//! Files that are whole or absent: temporary ones, and how they are published.

use std::fs::{Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use jiff::Timestamp;
use nix::errno::Errno;
use sha2::{Digest as _, Sha256};
use wheelmill_model::Digest;

use crate::StoreError;

/// A file below `tmp/` that vanishes unless it is published. It stays locked while its process
/// lives, so that others can tell it from a leftover.
pub(crate) struct TemporaryFile {
    path: Utf8PathBuf,
    file: fs::File,
    published: bool,
}

impl TemporaryFile {
    /// Creates an empty file in the store's own `folder`.
    pub(crate) fn create(folder: &Utf8Path) -> Result<Self, StoreError> {
        Self::create_named(folder, "")
    }

    /// Creates an empty file in a folder of the user's, where few will see it.
    pub(crate) fn create_hidden(folder: &Utf8Path) -> Result<Self, StoreError> {
        Self::create_named(folder, ".wheelmill-")
    }

    fn create_named(folder: &Utf8Path, prefix: &str) -> Result<Self, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let now = Timestamp::now().as_nanosecond();
            let path = folder.join(format!("{prefix}{now}-{}-{number}", std::process::id()));
            let failed = |source| StoreError::file("create", &path, source);
            // Processes of different containers may have the same number at the same time.
            let file = match fs::File::create_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other.map_err(failed)?,
            };
            lock(&file).map_err(failed)?;
            // Between its creation and the lock, somebody may have taken it for a leftover.
            if file.metadata().map_err(failed)?.nlink() > 0 {
                return Ok(Self { path, file, published: false });
            }
        }
    }

    /// Copies all of `source` into the file; returns what was copied.
    pub(crate) fn fill(&mut self, source: &Utf8Path) -> Result<(Digest, u64), StoreError> {
        let reader = fs::File::open(source).map_err(|error| StoreError::File {
            action: "read",
            path: source.into(),
            source: error,
        })?;
        copy_and_hash(reader, source, &mut self.file, &self.path)
    }

    /// Gives the content its final permissions and makes it durable.
    pub(crate) fn seal(&self, mode: u32) -> Result<(), StoreError> {
        self.file
            .set_permissions(Permissions::from_mode(mode))
            .and_then(|()| self.file.sync_all())
            .map_err(|source| StoreError::file("write", &self.path, source))
    }

    /// Gives the sealed file the name `target`, in place of whatever has it, and makes that
    /// durable. The folder exists already.
    pub(crate) fn publish(mut self, target: &Utf8Path) -> Result<(), StoreError> {
        fs::rename(&self.path, target)
            .map_err(|source| StoreError::file("create", target, source))?;
        self.published = true;
        target.parent().map_or(Ok(()), sync_folder)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path, %error, "a temporary file stays behind");
        }
    }
}

/// Takes the lock that says "alive". Where a file system has no locks, nobody can be told dead.
pub(crate) fn lock(file: &fs::File) -> io::Result<()> {
    match file.file().lock() {
        Err(error)
            if error.kind() == io::ErrorKind::Unsupported
                || error.raw_os_error() == Some(Errno::ENOLCK as i32) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Whether whoever locked the file is gone. In doubt it is not.
pub(crate) fn is_abandoned(file: &fs::File) -> bool {
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "a lock could not be asked");
            false
        }
    }
}

/// Removes what dead processes left in `folder`. What cannot be removed stays, said in the trace:
/// it takes space and does no other harm.
pub(crate) fn sweep(folder: &Utf8Path) {
    let Ok(entries) = folder.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let removed = fs::File::open(path)
            .and_then(|file| if is_abandoned(&file) { fs::remove_file(path) } else { Ok(()) });
        if let Err(error) = removed {
            tracing::debug!(%path, %error, "a leftover could not be removed");
        }
    }
}

/// Creates a folder and what is missing above it, each durably.
pub(crate) fn create_folder(path: &Utf8Path) -> Result<(), StoreError> {
    match fs::create_dir(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent().filter(|parent| !parent.as_str().is_empty()) else {
                return Err(StoreError::file("create", path, error));
            };
            create_folder(parent)?;
            create_folder(path)
        }
        Err(error) => Err(StoreError::file("create", path, error)),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Utf8Path) -> Result<(), StoreError> {
    fs::File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StoreError::file("write", path, source))
}

/// The digest of a file's content.
pub(crate) fn hash(path: &Utf8Path) -> Result<Digest, StoreError> {
    let failed = |source| StoreError::File { action: "read", path: path.into(), source };
    let file = fs::File::open(path).map_err(failed)?;
    copy_and_hash(file, path, &mut io::sink(), path).map(|(digest, _)| digest)
}

fn copy_and_hash(
    mut reader: impl Read,
    from: &Utf8Path,
    writer: &mut impl Write,
    to: &Utf8Path,
) -> Result<(Digest, u64), StoreError> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok((Digest::from_bytes(hasher.finalize().into()), size)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(StoreError::File { action: "read", path: from.into(), source });
            }
        };
        hasher.update(&buffer[..count]);
        writer
            .write_all(&buffer[..count])
            .map_err(|source| StoreError::file("write", to, source))?;
        size += count as u64;
    }
}
