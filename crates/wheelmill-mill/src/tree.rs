//! Removes folders that builds made.

use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;
use walkdir::WalkDir;

/// Removes a folder and everything in it. Builds leave folders without write permission (module
/// caches do), which an owner who is not root must open first.
pub(crate) fn remove(folder: &Utf8Path) -> io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => return other,
    }
    for entry in WalkDir::new(folder).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_dir() {
            let mut permissions = entry.metadata()?.permissions();
            permissions.set_mode(permissions.mode() | 0o700);
            fs_err::set_permissions(entry.path(), permissions)?;
        }
    }
    fs_err::remove_dir_all(folder)
}
