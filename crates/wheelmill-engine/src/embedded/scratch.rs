//! Folders that live as long as a container.

use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, JoinHandle};

use camino::{Utf8Path, Utf8PathBuf};

use super::errand::Errands;
use crate::{EngineError, lock};

const PREFIX: &str = "container-";

/// Where scratch folders are made, and removed again.
///
/// On a busy disk it can take longer to remove a few folders than a container takes to start. So
/// they are removed beside the caller's work; when the engine is dropped, none is left.
#[derive(Debug)]
pub(super) struct ScratchSpace {
    parent: Utf8PathBuf,
    errands: Errands,
    swept: Once,
    removals: Mutex<Vec<JoinHandle<()>>>,
}

impl ScratchSpace {
    pub(super) fn new(parent: Utf8PathBuf, errands: Errands) -> Self {
        Self { parent, errands, swept: Once::new(), removals: Mutex::default() }
    }

    /// Makes a folder, with the folders in it that a container needs. The first time, folders of
    /// programs that were killed are removed.
    pub(super) fn folder(&self) -> Result<Scratch<'_>, EngineError> {
        self.swept.call_once(|| self.sweep());
        self.make().map_err(|source| EngineError::Files {
            action: "create a folder in",
            path: self.parent.clone(),
            source,
        })
    }

    fn make(&self) -> io::Result<Scratch<'_>> {
        fs_err::create_dir_all(&self.parent)?;
        let (folder, lock) = loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&self.parent)?.keep();
            let folder = Utf8PathBuf::try_from(folder).map_err(io::Error::other)?;
            if let Some(lock) = lock_folder(&folder)? {
                break (folder, lock);
            }
            // Somebody who cleans up has taken it for a left one, in the moment before the lock.
        };
        let scratch = Scratch { folder, space: self, lock: Some(lock) };
        for (name, permissions) in [
            ("stage", 0o755),
            ("upper", 0o755),
            ("work", 0o755),
            ("tmp", 0o1777),
            ("var-tmp", 0o1777),
        ] {
            let path = scratch.path(name);
            fs_err::create_dir(&path)?;
            fs_err::set_permissions(&path, PermissionsExt::from_mode(permissions))?;
        }
        Ok(scratch)
    }

    fn sweep(&self) {
        let Ok(entries) = self.parent.read_dir_utf8() else { return };
        for entry in entries.flatten().filter(|entry| entry.file_name().starts_with(PREFIX)) {
            if let Ok(Some(lock)) = lock_folder(entry.path()) {
                self.remove_later(entry.path().to_owned(), lock);
            }
        }
    }

    /// Removes a folder in another thread. It stays locked until it is gone.
    fn remove_later(&self, folder: Utf8PathBuf, lock: File) {
        let errands = self.errands.clone();
        let removal = thread::spawn(move || {
            if let Err(error) = errands.remove(&folder) {
                tracing::warn!(%folder, %error, "could not remove a scratch folder");
            }
            drop(lock);
        });
        let mut removals = self.removals.lock().unwrap_or_else(PoisonError::into_inner);
        removals.retain(|removal| !removal.is_finished());
        removals.push(removal);
    }
}

impl Drop for ScratchSpace {
    fn drop(&mut self) {
        let removals = self.removals.get_mut().unwrap_or_else(PoisonError::into_inner);
        for removal in removals.drain(..) {
            // A thread that has panicked has said so.
            drop(removal.join());
        }
    }
}

/// A folder for everything that one container writes and nobody keeps.
pub(super) struct Scratch<'a> {
    folder: Utf8PathBuf,
    space: &'a ScratchSpace,
    /// Held while the folder is in use: that of a program that was killed is not.
    lock: Option<File>,
}

impl Scratch<'_> {
    /// One of the folders in it.
    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            self.space.remove_later(mem::take(&mut self.folder), lock);
        }
    }
}

/// Whether a container that lives has a folder.
pub(super) fn is_alive(folder: &Utf8Path) -> bool {
    lock::is_held(folder)
}

/// Locks a folder, if it is there and nobody else has.
pub(super) fn lock_folder(folder: &Utf8Path) -> io::Result<Option<File>> {
    let file = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let same = folder.metadata().is_ok_and(|now| {
        file.metadata().is_ok_and(|opened| (now.ino(), now.dev()) == (opened.ino(), opened.dev()))
    });
    Ok(same.then_some(file))
}
