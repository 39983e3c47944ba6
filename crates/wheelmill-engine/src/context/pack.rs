//! The archive of a context that builders take.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write};
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};

use super::BuildContext;
use super::hashing::Hashing;
use super::read::{Entry, IGNORE_FILE, Kind, unread};
use crate::EngineError;

/// The name that a Dockerfile from outside gets in the archive. Fixed, so that the same context is
/// the same archive.
pub(crate) const DOCKERFILE: &str = ".wheelmill.Dockerfile";

impl BuildContext {
    /// The archive, as a file without a name below a folder: it may be larger than memory.
    ///
    /// # Errors
    /// The archive cannot be written, or something is not any more what was planned.
    pub(crate) fn pack(&self, scratch: &Utf8Path) -> Result<File, EngineError> {
        let unwritten =
            |source| EngineError::Files { action: "write below", path: scratch.to_owned(), source };
        fs_err::create_dir_all(scratch).map_err(unwritten)?;
        let mut file = tempfile::tempfile_in(scratch).map_err(unwritten)?;
        self.write(io::BufWriter::new(&mut file), unwritten)?;
        file.rewind().map_err(unwritten)?;
        Ok(file)
    }

    /// What a builder says, with the Dockerfile's own name for that in the archive.
    pub(crate) fn with_own_name(&self, message: &str) -> String {
        message.replace(DOCKERFILE, self.file.as_str())
    }

    /// Writes the archive. The Dockerfile is in it under a name of its own, which `.dockerignore`
    /// names, so that no `COPY .` takes it: so does the `docker` command where it packs one.
    fn write(
        &self,
        to: impl Write,
        unwritten: impl Fn(io::Error) -> EngineError + Copy,
    ) -> Result<(), EngineError> {
        let mut tar = tar::Builder::new(to);
        let mut ignore_header = header(0o644, 0);
        for Entry { path, mode, modified, kind } in &self.entries {
            let mut header = header(*mode, *modified);
            if path == Path::new(IGNORE_FILE) {
                ignore_header = header;
                continue;
            }
            match kind {
                Kind::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    tar.append_data(&mut header, path, io::empty()).map_err(unwritten)?;
                }
                Kind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    tar.append_link(&mut header, path, target).map_err(unwritten)?;
                }
                Kind::File(planned) => {
                    let place = self.folder.as_std_path().join(path);
                    let (file, size) = open(&place)?;
                    header.set_size(size);
                    let mut file = Hashing::new(file.take(size));
                    let packed = tar.append_data(&mut header, path, &mut file);
                    if let Err(error) = packed {
                        return Err(match file.has_failed() {
                            true => unread(&place)(error),
                            false => unwritten(error),
                        });
                    }
                    if file.digest() != *planned {
                        return Err(changed(&place, "was changed"));
                    }
                }
            }
        }
        let ignore = self.ignore_text.as_deref().unwrap_or(IGNORE_FILE.as_bytes());
        let end = if ignore.ends_with(b"\n") { "" } else { "\n" };
        let ignore = [ignore, end.as_bytes(), DOCKERFILE.as_bytes(), b"\n"].concat();
        let texts = [
            (ignore_header, IGNORE_FILE, &ignore),
            (header(0o644, 0), DOCKERFILE, &self.dockerfile),
        ];
        for (mut header, name, content) in texts {
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_slice()).map_err(unwritten)?;
        }
        tar.into_inner().and_then(|mut to| to.flush()).map_err(unwritten)
    }
}

fn header(mode: u32, modified: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_mtime(modified);
    header.set_size(0);
    header
}

/// A file that is still one, and its size.
fn open(place: &Path) -> Result<(fs_err::File, u64), EngineError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => changed(place, "was removed"),
        _ => unread(place)(error),
    };
    if !fs_err::symlink_metadata(place).map_err(failed)?.is_file() {
        return Err(changed(place, "was replaced"));
    }
    let file = fs_err::File::open(place).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

fn changed(place: &Path, how: &'static str) -> EngineError {
    let path = Utf8PathBuf::from(place.to_string_lossy().into_owned());
    EngineError::ContextChanged { path, how }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A context with an installer, a folder and a link, all of the year 2001, and its Dockerfile.
    fn context() -> (tempfile::TempDir, Utf8PathBuf, Utf8PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(place.path()).unwrap();
        let (file, folder) = (path.join("Dockerfile_cuda90_builder"), path.join("context"));
        fs_err::create_dir_all(folder.join("scripts")).unwrap();
        fs_err::write(&file, "FROM scratch\n").unwrap();
        fs_err::write(folder.join("scripts/installer.sh"), "true\n").unwrap();
        fs_err::write(folder.join("notes.txt"), "n").unwrap();
        fs_err::os::unix::fs::symlink("notes.txt", folder.join("link")).unwrap();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for name in ["scripts/installer.sh", "notes.txt", "scripts"] {
            File::open(folder.join(name)).unwrap().set_modified(then).unwrap();
        }
        (place, file, folder)
    }

    fn packed(context: &BuildContext) -> Vec<u8> {
        let mut packed = Vec::new();
        let unwritten = |source| EngineError::Files { action: "write", path: "x".into(), source };
        context.write(&mut packed, unwritten).unwrap();
        packed
    }

    fn texts(context: &BuildContext) -> BTreeMap<String, String> {
        let packed = packed(context);
        let mut archive = tar::Archive::new(packed.as_slice());
        let mut names = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            names.insert(entry.path().unwrap().display().to_string(), text);
        }
        names
    }

    #[test]
    fn the_archive_has_the_context_and_the_dockerfile_that_no_copy_takes() {
        let (_place, file, folder) = context();
        let whole = texts(&BuildContext::read(&file, &folder).unwrap());
        assert_eq!(whole["scripts/installer.sh"], "true\n");
        assert_eq!(whole[DOCKERFILE], "FROM scratch\n");
        assert_eq!(whole[IGNORE_FILE], format!("{IGNORE_FILE}\n{DOCKERFILE}\n"));

        fs_err::write(folder.join(IGNORE_FILE), "*.txt\n\n").unwrap();
        let smaller = texts(&BuildContext::read(&file, &folder).unwrap());
        assert!(!smaller.contains_key("notes.txt"), "{smaller:?}");
        assert_eq!(smaller[IGNORE_FILE], format!("*.txt\n\n{DOCKERFILE}\n"));
    }

    #[test]
    fn what_is_copied_keeps_its_time() {
        let (_place, file, folder) = context();
        let packed = packed(&BuildContext::read(&file, &folder).unwrap());
        let mut archive = tar::Archive::new(packed.as_slice());
        let times: BTreeMap<String, u64> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                (name, entry.header().mtime().unwrap())
            })
            .collect();
        for name in ["scripts/installer.sh", "notes.txt", "scripts"] {
            assert_eq!(times[name], 1_000_000_000, "{name}: {times:?}");
        }
        assert!(times["link"] > 1_000_000_000, "{times:?}");
    }

    #[test]
    fn what_changed_since_it_was_read_is_named_and_not_packed() {
        let (place, file, folder) = context();
        let scratch = Utf8Path::from_path(place.path()).unwrap().join("scratch");
        let said = |context: &BuildContext| context.pack(&scratch).unwrap_err().to_string();
        let read = || BuildContext::read(&file, &folder).unwrap();
        read().pack(&scratch).unwrap();

        let before = read();
        fs_err::write(folder.join("notes.txt"), "m").unwrap();
        let notes = folder.join("notes.txt");
        assert_eq!(said(&before), format!("`{notes}` was changed after the build was planned"));
        fs_err::remove_file(&notes).unwrap();
        assert_eq!(said(&before), format!("`{notes}` was removed after the build was planned"));
        fs_err::create_dir(&notes).unwrap();
        assert_eq!(said(&before), format!("`{notes}` was replaced after the build was planned"));
        fs_err::remove_dir(&notes).unwrap();
        fs_err::write(&notes, "n").unwrap();
        before.pack(&scratch).unwrap();
    }
}
