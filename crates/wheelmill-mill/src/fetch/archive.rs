//! Unpacks source archives. They come from strangers: nothing is written outside the folder.

use std::io::{self, Read, Seek};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::GzDecoder;

/// No source archive of the catalogue unpacks to more than 2 GB; a bomb does.
const SIZE_LIMIT: u64 = 16 << 30;

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("could not unpack `{file}`: {reason}")]
pub(crate) struct ArchiveError {
    /// The archive.
    file: Utf8PathBuf,
    /// What is wrong with it.
    reason: String,
    /// The failure below, when there is one.
    #[source]
    source: Option<io::Error>,
}

/// Unpacks a `.tar.gz`, `.tar` or `.zip`, known by its content, into an empty folder. Where all
/// entries lie in one folder, as in every source archive of a package, that folder is left out.
pub(crate) fn unpack(file: &Utf8Path, folder: &Utf8Path) -> Result<(), ArchiveError> {
    let failed = |reason: &str, source: Option<io::Error>| ArchiveError {
        file: file.to_owned(),
        reason: reason.to_owned(),
        source,
    };
    let io = |error| failed("the file could not be read or written", Some(error));
    let parent = folder.parent().ok_or_else(|| failed("its target has no parent folder", None))?;
    fs_err::create_dir_all(parent).map_err(io)?;
    let temporary = tempfile::Builder::new().prefix(".unpack-").tempdir_in(parent).map_err(io)?;

    let mut input = fs_err::File::open(file).map_err(io)?;
    let mut magic = [0; 4];
    let count = input.read(&mut magic).map_err(io)?;
    input.rewind().map_err(io)?;
    match magic {
        [0x1f, 0x8b, ..] => untar(GzDecoder::new(input), temporary.path()).map_err(io)?,
        [b'P', b'K', ..] => unzip(input, temporary.path()).map_err(io)?,
        _ if count == 4 => untar(input, temporary.path()).map_err(io)?,
        _ => return Err(failed("it is empty", None)),
    }

    let mut entries = fs_err::read_dir(temporary.path())
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(io)?;
    let top = match (entries.pop(), entries.is_empty()) {
        (None, _) => return Err(failed("it holds no files", None)),
        (Some(only), true) if only.file_type().map_err(io)?.is_dir() => only.path(),
        _ => temporary.path().to_owned(),
    };
    fs_err::rename(top, folder).map_err(io)
}

fn untar(input: impl Read, folder: &std::path::Path) -> io::Result<()> {
    // `unpack` refuses names and links that lead out of the folder.
    let mut archive = tar::Archive::new(input.take(SIZE_LIMIT));
    archive.set_preserve_ownerships(false);
    archive.set_unpack_xattrs(false);
    archive.unpack(folder)
}

fn unzip(input: impl Read + Seek, folder: &std::path::Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(input)?;
    let declared: u128 = archive.decompressed_size().unwrap_or(u128::from(SIZE_LIMIT));
    if declared >= u128::from(SIZE_LIMIT) {
        return Err(io::Error::other("it unpacks to more than 16 GiB"));
    }
    archive.extract(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(entries: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8PathBuf::from_path_buf(folder.path().join("a.tar.gz")).unwrap();
        let encoder =
            flate2::write::GzEncoder::new(fs_err::File::create(&file).unwrap(), Default::default());
        let mut builder = tar::Builder::new(encoder);
        for (name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            // `set_path` refuses `..`, which is what these archives are about.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
        (folder, file)
    }

    #[test]
    fn the_one_top_folder_is_left_out() {
        let (folder, file) = packed(&[("x-1.0/setup.py", "s"), ("x-1.0/src/a.cu", "a")]);
        let target = Utf8Path::from_path(folder.path()).unwrap().join("out/src");
        unpack(&file, &target).unwrap();
        assert_eq!(fs_err::read_to_string(target.join("src/a.cu")).unwrap(), "a");
        assert_eq!(fs_err::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_archive_cannot_write_outside_its_folder() {
        let (folder, file) = packed(&[("x-1.0/a", "a"), ("../../escaped", "evil")]);
        let target = Utf8Path::from_path(folder.path()).unwrap().join("out/src");
        drop(unpack(&file, &target));
        assert!(!folder.path().join("escaped").exists());
        assert!(!folder.path().parent().unwrap().join("escaped").exists());
    }

    #[test]
    fn what_is_no_archive_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8PathBuf::from_path_buf(folder.path().join("page.tar.gz")).unwrap();
        for text in ["", "<html>not found</html>"] {
            fs_err::write(&file, text).unwrap();
            let error = unpack(&file, &file.with_file_name("out")).unwrap_err();
            assert!(error.to_string().contains("page.tar.gz"), "{error}");
            assert!(!file.with_file_name("out").exists());
        }
    }
}
