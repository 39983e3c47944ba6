//! What folders lie on, as far as a plain user can tell.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::AccessFlags;

use crate::machine::FileSystem;

/// A folder of wheelmill's own.
#[derive(Clone, Debug)]
pub struct WorkFolder {
    /// The folder, which need not be there.
    pub path: Utf8PathBuf,
    /// The variable that chooses another.
    pub variable: &'static str,
    /// Whether this user can write there.
    pub is_writable: bool,
    /// What it lies on; else why that cannot be told.
    pub system: Result<FileSystem, String>,
}

impl WorkFolder {
    pub(super) fn all(folders: &[(&'static str, Utf8PathBuf)]) -> Vec<Self> {
        let folder = |(variable, path): &(&'static str, Utf8PathBuf)| {
            let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
            let mode = AccessFlags::W_OK | AccessFlags::X_OK;
            Self {
                path: path.clone(),
                variable,
                is_writable: nix::unistd::access(there.as_std_path(), mode).is_ok(),
                system: look(path),
            }
        };
        folders.iter().map(folder).collect()
    }
}

/// What a folder lies on. A daemon's own is closed to users, and some daemons mount it over itself;
/// any folder above it on the same device tells more then.
pub(super) fn look(folder: &Utf8Path) -> Result<FileSystem, String> {
    let device = |path: &Utf8Path| path.metadata().ok().map(|found| found.dev());
    let own = device(folder);
    let above = || {
        let above = folder.ancestors().skip(1);
        let same = above.filter(|path| own.is_some() && device(path) == own);
        same.filter_map(|path| FileSystem::of(path).ok()).next()
    };
    match FileSystem::of(folder) {
        Ok(system) if system.mounted_at == folder => Ok(above().unwrap_or(system)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            above().ok_or_else(|| format!("this user may not look into it: {error}"))
        }
        found => found.map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_lies_where_it_would() {
        let folders = [("WHEELMILL_CACHE", Utf8PathBuf::from("/proc/no/such/folder"))];
        let [folder] = &WorkFolder::all(&folders)[..] else { panic!("there is one") };
        assert_eq!(folder.system.as_ref().unwrap().kind, "proc");
    }
}
