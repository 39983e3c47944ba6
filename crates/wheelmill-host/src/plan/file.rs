//! A file that changes.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use similar::TextDiff;
use wheelmill_model::Digest;

use super::leaf::Expectation;

/// Who owns a file, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Owner {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// The rights, as numbers: `0o644`.
    pub mode: u32,
}

/// A file as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) bytes: Vec<u8>,
    pub(crate) owner: Owner,
}

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read `{path}`")]
pub struct FileError {
    /// The file.
    pub path: Utf8PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A value of a JSON file that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeafChange {
    /// Its keys.
    pub path: Vec<String>,
    /// What was written there.
    pub before: Option<String>,
    /// What will be; none for a key that is taken away.
    pub after: Option<Value>,
    /// What the daemon says of it when it is as before.
    pub(crate) was: Option<Expectation>,
}

/// A file that changes.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// Its name.
    pub path: Utf8PathBuf,
    /// The file itself, where links from there lead.
    pub(crate) real: Utf8PathBuf,
    pub(crate) before: Option<FileState>,
    pub(crate) after: Vec<u8>,
    /// The rights of a file that is new.
    pub(crate) mode: u32,
    /// The values that are ours. Empty: the whole file is.
    pub leaves: Vec<LeafChange>,
}

impl FileState {
    /// A file, if there is one.
    pub(crate) fn read(path: &Utf8Path) -> Result<Option<Self>, FileError> {
        let failed = |source| FileError { path: path.to_owned(), source };
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let metadata = path.metadata().map_err(failed)?;
        let owner =
            Owner { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777 };
        Ok(Some(Self { bytes, owner }))
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

impl FileChange {
    /// The change of a file to a new content; none when it has it already.
    pub(super) fn new(
        path: &Utf8Path,
        mode: u32,
        change: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Option<Self>, FileError> {
        let real = real_path(path);
        let before = FileState::read(&real)?;
        let after = change(before.as_ref().map_or(&[], |state| &state.bytes));
        let same = before.as_ref().is_some_and(|state| state.bytes == after);
        let path = path.to_owned();
        Ok((!same).then(|| Self { path, real, before, after, mode, leaves: Vec::new() }))
    }

    /// The change as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let before = self.before.as_ref().map(|state| text(&state.bytes));
        let from = before.as_ref().map_or("/dev/null", |_| self.path.as_str());
        let (old, new) = (before.clone().unwrap_or_default(), text(&self.after));
        let diff = TextDiff::from_lines(&old, &new);
        diff.unified_diff().header(from, self.path.as_str()).to_string()
    }
}

impl Serialize for FileChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            path: &'a Utf8Path,
            exists: bool,
            diff: String,
        }
        let exists = self.before.is_some();
        Shown { path: &self.path, exists, diff: self.diff() }.serialize(serializer)
    }
}

/// Where links lead, also when there is nothing yet at their end.
pub(crate) fn real_path(path: &Utf8Path) -> Utf8PathBuf {
    if let Ok(real) = path.canonicalize_utf8() {
        return real;
    }
    match path.read_link_utf8() {
        Ok(target) => path.parent().unwrap_or(Utf8Path::new("/")).join(target),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_also_to_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        let link = folder.join("daemon.json");
        std::os::unix::fs::symlink("real.json", &link).unwrap();
        assert_eq!(real_path(&link), folder.join("real.json"));
        fs_err::write(folder.join("real.json"), "{}").unwrap();
        assert_eq!(real_path(&link), folder.join("real.json"));
    }

    #[test]
    fn a_diff_names_the_file_and_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("x");
        let change = FileChange::new(&path, 0o644, |_| b"one\n".to_vec()).unwrap().unwrap();
        assert_eq!(change.diff(), format!("--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+one\n"));
        fs_err::write(&path, "one\n").unwrap();
        assert!(FileChange::new(&path, 0o644, |_| b"one\n".to_vec()).unwrap().is_none());
    }
}
