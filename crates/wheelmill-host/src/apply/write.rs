//! Files that are replaced as a whole, so that no crash leaves half of one.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown};

use camino::{Utf8Path, Utf8PathBuf};

use super::error::HostError;
use crate::plan::Owner;

/// Where the new content of a file is written before it takes its place. The name is always the
/// same, so what a crash left is written over by the next change.
pub(super) fn beside(path: &Utf8Path) -> Utf8PathBuf {
    path.with_file_name(format!(".{}.wheelmill", path.file_name().unwrap_or_default()))
}

/// Writes what shall become a file, on its disk and with its rights.
pub(super) fn prepare(
    path: &Utf8Path,
    bytes: &[u8],
    owner: Owner,
) -> Result<Utf8PathBuf, HostError> {
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
        file.sync_all()
    };
    write().map_err(|source| failed("write", source))?;
    Ok(temporary)
}

/// Lets what was prepared become the file.
pub(super) fn commit(path: &Utf8Path) -> Result<(), HostError> {
    let failed = |source| HostError::Files { action: "replace", path: path.to_owned(), source };
    fs_err::rename(beside(path), path).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Writes a file as a whole.
pub(super) fn replace(path: &Utf8Path, bytes: &[u8], owner: Owner) -> Result<(), HostError> {
    prepare(path, bytes, owner)?;
    commit(path)
}

/// Removes a file.
pub(super) fn remove(path: &Utf8Path) -> Result<(), HostError> {
    let failed = |source| HostError::Files { action: "remove", path: path.to_owned(), source };
    match fs_err::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
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

fn sync_folder(path: &Utf8Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Utf8Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_rights_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("new/daemon.json");
        replace(&path, b"{}", own(0o600)).unwrap();
        // As if a crash had left it.
        fs_err::write(beside(&path), "half").unwrap();
        replace(&path, b"{ }", own(0o640)).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "{ }");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
