//! The folder that a cell is built in: one for all attempts at it, of one process at a time.

use std::fs::File;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::tree;

/// A cell's folder. It may not exist.
#[derive(Debug)]
pub(super) struct WorkFolder(Utf8PathBuf);

/// Keeps other processes out of a folder until it is dropped, or its process is gone.
pub(super) struct FolderLock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl WorkFolder {
    pub(super) const fn new(path: Utf8PathBuf) -> Self {
        Self(path)
    }

    /// Takes the folder, unless another process has it.
    pub(super) fn try_hold(&self) -> io::Result<Option<FolderLock>> {
        fs_err::create_dir_all(&self.0)?;
        // Beside the folder, since the folder itself is removed by whoever holds it.
        let file = fs_err::File::create(self.0.with_extension("lock"))?.into_parts().0;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(FolderLock(held))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }

    /// Whether an attempt was made in it, or a shell opened.
    pub(super) fn is_used(&self) -> io::Result<bool> {
        Ok(fs_err::read_dir(&self.0)?.next().is_some())
    }

    /// Where it is, or would be.
    pub(super) fn root(&self) -> &Utf8Path {
        &self.0
    }

    /// Where something in it is, or would be.
    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        self.0.join(name)
    }

    /// An empty folder in it.
    pub(super) fn fresh(&self, name: &str) -> io::Result<Utf8PathBuf> {
        let folder = self.remove(name)?;
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Removes something in it; gives its path.
    pub(super) fn remove(&self, name: &str) -> io::Result<Utf8PathBuf> {
        let path = self.path(name);
        tree::remove(&path)?;
        Ok(path)
    }

    /// Removes all of it.
    pub(super) fn remove_all(&self) -> io::Result<()> {
        tree::remove(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_holds_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("key")).unwrap();
        let (first, second) = (WorkFolder::new(path.clone()), WorkFolder::new(path));
        let held = first.try_hold().unwrap();
        assert!(held.is_some() && second.try_hold().unwrap().is_none());
        drop(held);
        assert!(second.try_hold().unwrap().is_some());
    }

    #[test]
    fn what_a_build_made_read_only_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let work = WorkFolder::new(Utf8PathBuf::from_path_buf(folder.path().join("key")).unwrap());
        let closed = work.fresh("src").unwrap().join("modules");
        fs_err::create_dir(&closed).unwrap();
        fs_err::write(closed.join("a"), "a").unwrap();
        fs_err::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
        work.remove_all().unwrap();
        assert!(!work.path("src").exists());
    }
}
