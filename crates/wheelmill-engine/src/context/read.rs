//! Reads a context from the disk, and packs it.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{Digest, DigestBuilder};

use super::ignored::Ignored;
use crate::EngineError;

/// Where builders look for what to leave out.
const IGNORE_FILE: &str = ".dockerignore";

/// The name that a Dockerfile from outside gets in the archive. Fixed, so that the same context is
/// the same archive.
pub(crate) const DOCKERFILE: &str = ".wheelmill.Dockerfile";

/// A Dockerfile with its context, as read from the disk at one moment.
#[derive(Clone, Debug)]
pub struct BuildContext {
    dockerfile: Vec<u8>,
    folder: Utf8PathBuf,
    ignore_text: Option<String>,
    /// Paths in the folder, parents first, sorted.
    entries: Vec<Entry>,
    digest: Digest,
}

/// One thing in the folder.
#[derive(Clone, Debug)]
struct Entry {
    path: Utf8PathBuf,
    mode: u32,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Folder,
    File,
    Link(Utf8PathBuf),
}

impl BuildContext {
    /// Reads a Dockerfile, which may lie outside of its context, and the context's folder; what its
    /// `.dockerignore` names is left out.
    ///
    /// # Errors
    /// Something cannot be read, or `.dockerignore` has a pattern that is none.
    pub fn read(dockerfile: &Utf8Path, folder: &Utf8Path) -> Result<Self, EngineError> {
        let read = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| EngineError::Files { action: "read", path, source }
        };
        let text = fs_err::read(dockerfile).map_err(read(dockerfile))?;
        let ignore_file = folder.join(IGNORE_FILE);
        let ignore_text = match fs_err::read_to_string(&ignore_file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(read(&ignore_file)(error)),
        };
        let ignored = Ignored::parse(ignore_text.as_deref().unwrap_or_default())
            .map_err(|error| read(&ignore_file)(io::Error::other(error)))?;
        let entries = entries(folder, &ignored).map_err(read(folder))?;
        let digest = digest(&text, folder, &entries).map_err(read(folder))?;
        Ok(Self { dockerfile: text, folder: folder.to_owned(), ignore_text, entries, digest })
    }

    /// The digest of the Dockerfile and of everything that it can copy: names, rights, contents.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Writes the archive. The Dockerfile is in it under a name of its own, which `.dockerignore`
    /// names, so that no `COPY .` takes it: so does the `docker` command.
    pub(crate) fn write(&self, to: impl Write) -> io::Result<()> {
        let mut tar = tar::Builder::new(to);
        tar.follow_symlinks(false);
        for Entry { path, mode, kind } in &self.entries {
            if path == IGNORE_FILE {
                continue;
            }
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            let place = self.folder.join(path);
            match kind {
                Kind::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_size(0);
                    tar.append_data(&mut header, path, io::empty())?;
                }
                Kind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, path, target)?;
                }
                Kind::File => {
                    let file = fs_err::File::open(&place)?;
                    header.set_size(file.metadata()?.len());
                    tar.append_data(&mut header, path, file)?;
                }
            }
        }
        let ignore = match &self.ignore_text {
            Some(text) => format!("{}\n{DOCKERFILE}\n", text.trim_end_matches('\n')),
            None => format!("{IGNORE_FILE}\n{DOCKERFILE}\n"),
        };
        for (name, content) in [(IGNORE_FILE, ignore.as_bytes()), (DOCKERFILE, &self.dockerfile)] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content)?;
        }
        tar.finish()
    }
}

/// What of a folder counts. Owners are the builder's, as with `docker build`; sockets and the like
/// are nothing that can be copied.
fn entries(folder: &Utf8Path, ignored: &Ignored) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut walk = walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    while let Some(found) = walk.next() {
        let found = found?;
        let not_text = || io::Error::other(format!("{:?} has no UTF-8 name", found.path()));
        let place = Utf8Path::from_path(found.path()).ok_or_else(not_text)?;
        let path = place.strip_prefix(folder).map_err(io::Error::other)?.to_owned();
        if ignored.has(path.as_std_path()) {
            // It may be one that nobody else may read.
            if found.file_type().is_dir() && ignored.has_all_of(path.as_std_path()) {
                walk.skip_current_dir();
            }
            continue;
        }
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_file() => Kind::File,
            kind if kind.is_symlink() => Kind::Link(place.read_link_utf8()?),
            _ => continue,
        };
        entries.push(Entry { path, mode: found.metadata()?.permissions().mode() & 0o7777, kind });
    }
    Ok(entries)
}

fn digest(dockerfile: &[u8], folder: &Utf8Path, entries: &[Entry]) -> io::Result<Digest> {
    let mut digest = DigestBuilder::new("build-context").field("dockerfile", dockerfile);
    for Entry { path, mode, kind } in entries {
        digest = digest.field("path", path.as_str()).field("mode", mode.to_le_bytes());
        digest = match kind {
            Kind::Folder => digest.field("folder", ""),
            Kind::Link(target) => digest.field("link", target.as_str()),
            Kind::File => digest.field("file", of_file(&folder.join(path))?.as_bytes()),
        };
    }
    Ok(digest.finish())
}

/// The digest of a file, which may be an installer of gigabytes.
fn of_file(path: &Utf8Path) -> io::Result<Digest> {
    use sha2::Digest as _;

    let mut hash = sha2::Sha256::new();
    io::copy(&mut fs_err::File::open(path)?, &mut Hashing(&mut hash))?;
    Ok(Digest::from_bytes(hash.finalize().into()))
}

struct Hashing<'a>(&'a mut sha2::Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn names(context: &BuildContext) -> BTreeMap<String, String> {
        let mut packed = Vec::new();
        context.write(&mut packed).unwrap();
        let mut archive = tar::Archive::new(packed.as_slice());
        let mut names = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text).unwrap();
            names.insert(entry.path().unwrap().display().to_string(), text);
        }
        names
    }

    #[test]
    fn the_archive_has_the_context_and_the_dockerfile_that_no_copy_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let (file, context) = (path.join("Dockerfile_cuda90_builder"), path.join("context"));
        fs_err::create_dir_all(context.join("scripts")).unwrap();
        fs_err::write(&file, "FROM scratch\n").unwrap();
        fs_err::write(context.join("scripts/installer.sh"), "true\n").unwrap();
        fs_err::write(context.join("notes.txt"), "n").unwrap();
        let whole = BuildContext::read(&file, &context).unwrap();
        let packed = names(&whole);
        assert_eq!(packed["scripts/installer.sh"], "true\n");
        assert_eq!(packed[DOCKERFILE], "FROM scratch\n");
        assert_eq!(packed[IGNORE_FILE], format!("{IGNORE_FILE}\n{DOCKERFILE}\n"));

        fs_err::write(context.join(IGNORE_FILE), "*.txt").unwrap();
        let smaller = BuildContext::read(&file, &context).unwrap();
        let packed = names(&smaller);
        assert!(!packed.contains_key("notes.txt"), "{packed:?}");
        assert_eq!(packed[IGNORE_FILE], format!("*.txt\n{DOCKERFILE}\n"));
        assert_ne!(smaller.digest(), whole.digest());

        fs_err::write(context.join("notes.txt"), "other").unwrap();
        assert_eq!(BuildContext::read(&file, &context).unwrap().digest(), smaller.digest());
        fs_err::write(&file, "FROM debian\n").unwrap();
        assert_ne!(BuildContext::read(&file, &context).unwrap().digest(), smaller.digest());
    }

    #[test]
    fn an_ignored_folder_that_only_its_owner_may_read_does_no_harm() {
        let place = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(place.path()).unwrap();
        let (file, folder) = (path.join("Dockerfile_cuda90_builder"), path.join("context"));
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(&file, "FROM scratch\n").unwrap();
        fs_err::create_dir_all(folder.join("data/deep")).unwrap();
        fs_err::write(folder.join(IGNORE_FILE), "data\n").unwrap();
        let set = |path: &std::path::Path, mode| {
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
