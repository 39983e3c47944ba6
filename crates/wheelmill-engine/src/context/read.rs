//! Reads a context from the disk.

use std::borrow::Cow;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{Digest, DigestBuilder};

use super::hashing::Hashing;
use super::ignored::Ignored;
use crate::EngineError;

/// Where builders look for what to leave out.
pub(super) const IGNORE_FILE: &str = ".dockerignore";

/// A Dockerfile with its context, as read from the disk at one moment.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// Where the Dockerfile lies.
    pub(super) file: Utf8PathBuf,
    pub(super) dockerfile: Vec<u8>,
    pub(super) folder: Utf8PathBuf,
    pub(super) ignore_text: Option<Vec<u8>>,
    /// Paths in the folder, parents first, sorted.
    pub(super) entries: Vec<Entry>,
    digest: Digest,
}

/// One thing in the folder.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its path in the folder. Names need not be UTF-8.
    pub(super) path: PathBuf,
    pub(super) mode: u32,
    /// When it was written, in whole seconds since 1970. No part of the digest: builders' memory
    /// does not heed it either.
    pub(super) modified: u64,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Folder,
    /// With the digest of what it holds.
    File(Digest),
    Link(PathBuf),
}

impl BuildContext {
    /// Reads a Dockerfile, which may lie outside of its context, and the context's folder; what its
    /// `.dockerignore` names is left out.
    ///
    /// # Errors
    /// Something cannot be read, or `.dockerignore` has a pattern that is none.
    pub fn read(dockerfile: &Utf8Path, folder: &Utf8Path) -> Result<Self, EngineError> {
        let text = fs_err::read(dockerfile).map_err(unread(dockerfile.as_std_path()))?;
        let ignore_file = folder.join(IGNORE_FILE);
        let unread_ignores = unread(ignore_file.as_std_path());
        let ignore_text = match fs_err::read(&ignore_file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unread_ignores(error)),
        };
        let patterns = String::from_utf8_lossy(ignore_text.as_deref().unwrap_or_default());
        let ignored = Ignored::parse(&patterns)
            .map_err(|error| unread(ignore_file.as_std_path())(io::Error::other(error)))?;
        let entries = entries(folder, &ignored)?;
        let digest = digest(&text, &entries);
        Ok(Self {
            file: dockerfile.to_owned(),
            dockerfile: text,
            folder: folder.to_owned(),
            ignore_text,
            entries,
            digest,
        })
    }

    /// The text of the Dockerfile.
    pub(crate) fn dockerfile(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.dockerfile)
    }

    /// The digest of the Dockerfile and of everything that it can copy: names, rights, contents.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// What of a folder counts. Owners are the builder's, as with `docker build`; sockets and the like
/// are nothing that can be copied.
fn entries(folder: &Utf8Path, ignored: &Ignored) -> Result<Vec<Entry>, EngineError> {
    let mut entries = Vec::new();
    let mut walk = walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    while let Some(found) = walk.next() {
        let found = found.map_err(|error| {
            let place = error.path().unwrap_or(folder.as_std_path()).to_owned();
            unread(&place)(error.into())
        })?;
        let place = found.path();
        let path = place.strip_prefix(folder).expect("what is found in a folder lies below it");
        let is_folder = found.file_type().is_dir();
        if ignored.has(path) {
            // It may be one that nobody else may read.
            if is_folder && ignored.has_all_of(path) {
                walk.skip_current_dir();
            }
            continue;
        }
        let kind = match found.file_type() {
            _ if is_folder => Kind::Folder,
            kind if kind.is_file() => Kind::File(of_file(place).map_err(unread(place))?),
            kind if kind.is_symlink() => {
                Kind::Link(fs_err::read_link(place).map_err(unread(place))?)
            }
            _ => continue,
        };
        let metadata: Metadata =
            found.metadata().map_err(|error| unread(place)(io::Error::from(error)))?;
        entries.push(Entry {
            path: path.to_owned(),
            mode: metadata.permissions().mode() & 0o7777,
            modified: u64::try_from(metadata.mtime()).unwrap_or_default(),
            kind,
        });
    }
    Ok(entries)
}

fn digest(dockerfile: &[u8], entries: &[Entry]) -> Digest {
    let mut digest = DigestBuilder::new("build-context").field("dockerfile", dockerfile);
    for Entry { path, mode, kind, .. } in entries {
        digest =
            digest.field("path", path.as_os_str().as_bytes()).field("mode", mode.to_le_bytes());
        digest = match kind {
            Kind::Folder => digest.field("folder", ""),
            Kind::Link(target) => digest.field("link", target.as_os_str().as_bytes()),
            Kind::File(content) => digest.field("file", content.as_bytes()),
        };
    }
    digest.finish()
}

/// The digest of a file, which may be an installer of gigabytes.
fn of_file(path: &Path) -> io::Result<Digest> {
    let mut file = Hashing::new(fs_err::File::open(path)?);
    io::copy(&mut file, &mut io::sink())?;
    Ok(file.digest())
}

/// What to say of something that cannot be read.
pub(super) fn unread(path: &Path) -> impl FnOnce(io::Error) -> EngineError + use<> {
    let path = Utf8PathBuf::from(path.to_string_lossy().into_owned());
    move |source| EngineError::Files { action: "read", path, source }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// An empty folder with a Dockerfile beside it.
    fn context() -> (tempfile::TempDir, Utf8PathBuf, Utf8PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(place.path()).unwrap();
        let (file, folder) = (path.join("Dockerfile_cuda90_builder"), path.join("context"));
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(&file, "FROM scratch\n").unwrap();
        (place, file, folder)
    }

    #[test]
    fn the_digest_is_of_names_and_contents_and_not_of_times() {
        let (_place, file, folder) = context();
        let digest = || BuildContext::read(&file, &folder).unwrap().digest();
        fs_err::write(folder.join("notes.txt"), "n").unwrap();
        let first = digest();
        let notes = fs_err::OpenOptions::new().write(true).open(folder.join("notes.txt")).unwrap();
        notes.file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        assert_eq!(digest(), first);
        fs_err::write(folder.join("notes.txt"), "other").unwrap();
        assert_ne!(digest(), first);

        fs_err::write(folder.join(IGNORE_FILE), "*.txt").unwrap();
        let ignoring = digest();
        fs_err::write(folder.join("notes.txt"), "more").unwrap();
        assert_eq!(digest(), ignoring);
        fs_err::write(&file, "FROM debian\n").unwrap();
        assert_ne!(digest(), ignoring);
    }

    #[test]
    fn names_need_not_be_text() {
        let (_place, file, folder) = context();
        let name = OsStr::from_bytes(b"na\xefve");
        fs_err::write(folder.as_std_path().join(name), "x").unwrap();
        let context = BuildContext::read(&file, &folder).unwrap();
        assert_eq!(context.entries[0].path.as_os_str(), name);
    }

    #[test]
    fn an_ignored_folder_that_only_its_owner_may_read_does_no_harm() {
        let (place, file, folder) = context();
        fs_err::create_dir_all(folder.join("data/deep")).unwrap();
        fs_err::write(folder.join(IGNORE_FILE), "data\n").unwrap();
        let set = |path: &Path, mode| {
            fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(place.path(), 0o755);
        set(folder.join("data").as_std_path(), 0o000);
        let read = || BuildContext::read(&file, &folder);
        let as_user = std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                // For this thread alone: root may read everything.
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
                let refused = fs_err::read_dir(folder.join("data")).is_err();
                (refused, read())
            });
            reading.join().unwrap()
        });
        set(folder.join("data").as_std_path(), 0o755);
        let (refused, context) = as_user;
        assert!(refused, "the folder can be read");
        let context = context.unwrap();
        assert_eq!(context.entries.len(), 1, "{:?}", context.entries);

        fs_err::write(folder.join(IGNORE_FILE), "data\n!data/deep\n").unwrap();
        assert_eq!(read().unwrap().entries.len(), 2, "what is taken back in");
    }
}
