//! Which program makes the root, and what is missing where none can.

use camino::{Utf8Path, Utf8PathBuf};

use super::release::Release;
use crate::EngineError;

/// A program that makes the root of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// Makes a folder; needs root.
    Debootstrap(Utf8PathBuf),
    /// Makes a tar; root, or a user with subordinate identities.
    Mmdebstrap(Utf8PathBuf),
}

impl Tool {
    /// The one that works for this user.
    pub(super) fn find(
        release: Release,
        folders: &[Utf8PathBuf],
        root: bool,
    ) -> Result<Self, EngineError> {
        if root && let Some(program) = find(folders, "debootstrap") {
            return Ok(Self::Debootstrap(program));
        }
        if let Some(program) = find(folders, "mmdebstrap") {
            return Ok(Self::Mmdebstrap(program));
        }
        let there = find(folders, "debootstrap").is_some();
        let (why, fix) = match (root, there) {
            (true, _) => (
                "neither debootstrap nor mmdebstrap is installed",
                "install one: `apt-get install debootstrap`, `dnf install debootstrap`",
            ),
            (false, true) => (
                "debootstrap needs root, and mmdebstrap, which does not, is not installed",
                "run it as root, or `sudo apt-get install mmdebstrap`",
            ),
            (false, false) => (
                "mmdebstrap is not installed",
                "`sudo apt-get install mmdebstrap`, or install debootstrap and run it as root",
            ),
        };
        Err(unable(release, why, fix))
    }
}

/// Refuses where the keys of a release are not there: what it signs could not be checked.
pub(super) fn check_keyring(release: Release) -> Result<&'static Utf8Path, EngineError> {
    let (file, package) = release.keyring();
    let file = Utf8Path::new(file);
    if file.is_file() {
        return Ok(file);
    }
    let why = format!("the keys that sign its packages are not on this machine: `{file}`");
    Err(unable(
        release,
        &why,
        &format!("install the package `{package}`, or copy this file from a machine that has it"),
    ))
}

fn unable(release: Release, why: &str, fix: &str) -> EngineError {
    EngineError::Unable {
        what: format!("a base of {release}"),
        why: why.to_owned(),
        fix: fix.to_owned(),
    }
}

/// A program in one of some folders.
pub(super) fn find(folders: &[Utf8PathBuf], name: &str) -> Option<Utf8PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_to_whom_it_concerns() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().to_owned()).unwrap();
        let folders = [path.clone()];
        let release: Release = "debian:bookworm".parse().unwrap();
        let said = |root| match Tool::find(release, &folders, root) {
            Err(EngineError::Unable { why, fix, .. }) => format!("{why}; {fix}"),
            other => panic!("{other:?}"),
        };
        assert!(said(true).contains("apt-get install debootstrap"));
        fs_err::write(path.join("debootstrap"), "").unwrap();
        assert!(said(false).contains("needs root"));
        let found = Tool::find(release, &folders, true).unwrap();
        assert_eq!(found, Tool::Debootstrap(path.join("debootstrap")));
        fs_err::write(path.join("mmdebstrap"), "").unwrap();
        let found = Tool::find(release, &folders, false).unwrap();
        assert_eq!(found, Tool::Mmdebstrap(path.join("mmdebstrap")));
    }
}
