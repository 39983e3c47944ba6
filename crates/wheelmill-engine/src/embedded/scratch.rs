//! Folders that live as long as a container.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use super::mode::Mode;
use super::process;
use super::program::Program;
use super::spec::Request;
use crate::image::remove_tree;
use crate::{Cancel, Stream};

const PREFIX: &str = "container-";

/// A folder for everything that one container writes and nobody keeps.
pub(super) struct Scratch<'a> {
    folder: Utf8PathBuf,
    remover: Remover<'a>,
    /// Locked while the folder is in use: that of a program that was killed is not.
    _lock: File,
}

impl<'a> Scratch<'a> {
    /// Makes a folder, with the folders in it that a container needs.
    pub(super) fn new(parent: &Utf8Path, remover: Remover<'a>) -> io::Result<Self> {
        fs_err::create_dir_all(parent)?;
        let (folder, lock) = loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?.keep();
            let folder = Utf8PathBuf::try_from(folder).map_err(io::Error::other)?;
            if let Some(lock) = lock_folder(&folder)? {
                break (folder, lock);
            }
            // Somebody who cleans up has taken it for a left one, in the moment before the lock.
        };
        let scratch = Self { folder, remover, _lock: lock };
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

    /// One of the folders in it.
    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remover.remove(&self.folder) {
            tracing::warn!(folder = %self.folder, %error, "could not remove a scratch folder");
        }
    }
}

/// Removes the folders of containers whose program was killed.
pub(super) fn sweep(parent: &Utf8Path, remover: Remover<'_>) {
    let Ok(entries) = parent.read_dir_utf8() else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().starts_with(PREFIX)) {
        if let Ok(Some(_lock)) = lock_folder(entry.path())
            && let Err(error) = remover.remove(entry.path())
        {
            tracing::warn!(folder = %entry.path(), %error, "could not remove a left folder");
        }
    }
}

/// Locks a folder, if it is there and nobody else has.
fn lock_folder(folder: &Utf8Path) -> io::Result<Option<File>> {
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

/// What removes folders of containers.
#[derive(Clone, Copy)]
pub(super) struct Remover<'a> {
    pub(super) program: &'a Program,
    pub(super) mode: Mode,
}

impl Remover<'_> {
    /// Removes a folder that a container wrote to. What users wrote who exist only in a user
    /// namespace can be removed only there.
    pub(super) fn remove(&self, folder: &Utf8Path) -> io::Result<()> {
        if !matches!(self.mode, Mode::Mapped { .. }) {
            return remove_tree(folder.as_std_path());
        }
        let request = Request::Remove { mode: self.mode, folders: vec![folder.to_owned()] };
        let mut nothing = |_: Stream, _: &[u8]| {};
        match process::run(self.program, &request, &mut nothing, &Cancel::new()) {
            Ok(outcome) if outcome.ended.code == 0 => Ok(()),
            Ok(outcome) => Err(io::Error::from_raw_os_error(outcome.ended.code)),
            Err(process::HelperError::Process(error)) => Err(error),
            Err(process::HelperError::Failed(failure)) => Err(failure.source()),
        }
    }
}
