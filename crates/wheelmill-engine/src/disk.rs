//! How much of a disk something takes.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

/// What files and folders take of a disk, as `du` counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// Bytes of the blocks that are taken.
    pub bytes: u64,
    /// The newest change of a file in it.
    pub newest: Option<SystemTime>,
    /// Why the true size is larger, when something could not be read.
    pub unread: Option<String>,
}

/// Measures, and counts a file with several names once, whichever folders these are in.
#[derive(Debug, Default)]
pub struct DiskMeter {
    linked: HashSet<(u64, u64)>,
}

impl DiskMeter {
    /// Measures a file, or a folder with all in it; nothing, when there is none.
    pub fn measure(&mut self, path: &Utf8Path) -> DiskUse {
        let mut found = DiskUse::default();
        for entry in WalkDir::new(path) {
            match entry.and_then(|entry| entry.metadata()) {
                Ok(metadata) => {
                    let several = metadata.nlink() > 1 && !metadata.is_dir();
                    if several && !self.linked.insert((metadata.dev(), metadata.ino())) {
                        continue;
                    }
                    // st_blocks counts in units of 512 bytes, whatever the file system's own.
                    found.bytes += metadata.blocks() * 512;
                    found.newest = found.newest.max(metadata.modified().ok());
                }
                // Somebody has removed it meanwhile.
                Err(error) if is_missing(&error) => {}
                Err(error) => {
                    found.unread.get_or_insert(error.to_string());
                }
            }
        }
        found
    }
}

fn is_missing(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_and_linked_files_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        for name in ["a", "b"] {
            fs_err::create_dir(path.join(name)).unwrap();
        }
        fs_err::write(path.join("a/file"), vec![1; 100_000]).unwrap();
        fs_err::hard_link(path.join("a/file"), path.join("b/file")).unwrap();
        let sparse = fs_err::File::create(path.join("b/sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let mut meter = DiskMeter::default();
        let (first, second) = (meter.measure(&path.join("a")), meter.measure(&path.join("b")));
        assert!(first.bytes >= 100_000, "{first:?}");
        assert!(second.bytes < 100_000, "{second:?}");
        assert_eq!(meter.measure(&path.join("c")), DiskUse::default());
    }
}
