//! Files that are replaced as a whole, so that no crash leaves half of one.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};

use camino::{Utf8Path, Utf8PathBuf};

use super::attribute;
use super::error::HostError;
use crate::plan::Owner;

/// Where the new content of a file is written before it takes its place. The name is always the
/// same, so what a crash left is written over by the next change.
pub(super) fn beside(path: &Utf8Path) -> Utf8PathBuf {
    path.with_file_name(format!(".{}.wheelmill", path.file_name().unwrap_or_default()))
}

/// Writes what shall become a file, on its disk, with its rights and attributes: those of the file
/// that is there, else of another one that is like it.
pub(super) fn prepare(
    path: &Utf8Path,
    bytes: &[u8],
    owner: Owner,
    like: Option<&Utf8Path>,
) -> Result<(), HostError> {
    let temporary = beside(path);
    let failed = |action, source| HostError::Files { action, path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder).map_err(|source| failed("create the folder of", source))?;
    }
    discard(path)?;
    let write = || {
        // Nobody else may read what others may not.
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        let own = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        if (owner.user, owner.group) != own {
            fchown(&file, Some(owner.user), Some(owner.group))?;
        }
        file.set_permissions(Permissions::from_mode(owner.mode))?;
        if let Some(like) = [Some(path), like].into_iter().flatten().find(|path| path.exists()) {
            attribute::copy(&File::open(like)?, &file)?;
        }
        file.sync_all()
    };
    write().map_err(|source| {
        // A full disk keeps nothing of it.
        drop(fs_err::remove_file(&temporary));
        failed("write", source)
    })
}

/// Lets what was prepared become the file.
pub(super) fn commit(path: &Utf8Path) -> Result<(), HostError> {
    let failed = |source| HostError::Files { action: "replace", path: path.to_owned(), source };
    fs_err::rename(beside(path), path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Writes a file as a whole, as [`prepare`] does.
pub(super) fn replace(
    path: &Utf8Path,
    bytes: &[u8],
    owner: Owner,
    like: Option<&Utf8Path>,
) -> Result<(), HostError> {
    prepare(path, bytes, owner, like)?;
    commit(path)
}

/// Makes a folder for root alone, and those above it that are new for everybody, as packages make
/// them.
pub(super) fn make_folder(folder: &Utf8Path) -> Result<(), HostError> {
    let above = folder.parent().map_or(Ok(()), fs_err::create_dir_all);
    let made = above.and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(folder));
    made.map_err(|source| HostError::Files { action: "create", path: folder.to_owned(), source })
}

/// Removes a file.
pub(super) fn remove(path: &Utf8Path) -> Result<(), HostError> {
    let failed = |source| HostError::Files { action: "remove", path: path.to_owned(), source };
    match fs_err::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_folder(path)).map_err(failed),
    }
}

/// Removes what was prepared and is not wanted any more.
pub(super) fn discard(path: &Utf8Path) -> Result<(), HostError> {
    remove(&beside(path))
}

/// A file of our own, for root alone or for whoever runs the daemon.
pub(super) fn own(mode: u32) -> Owner {
    let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    Owner { user, group, mode }
}

fn sync_folder(path: &Utf8Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Utf8Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_rights_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("new/daemon.json");
        replace(&path, b"{}", own(0o600), None).unwrap();
        // As if a crash had left it.
        fs_err::write(beside(&path), "half").unwrap();
        replace(&path, b"{ }", own(0o640), None).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "{ }");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
