//! What the embedded engine keeps: layers of steps and of images, in every mode, and leftovers.

use camino::{Utf8DirEntry, Utf8Path, Utf8PathBuf};

use super::engine::EmbeddedEngine;
use super::layers::{self, failed};
use super::scratch;
use crate::kept::{Keeper, Kept, KeptKind, Removal};
use crate::{DiskMeter, EngineError, EngineKind, lock};

impl Keeper for EmbeddedEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Embedded
    }

    fn kept(&self) -> Result<Vec<Kept>, EngineError> {
        let mut meter = DiskMeter::default();
        let mut all = Vec::new();
        let images = self.settings.layers.join("images");
        for (folders, kind) in [
            (self.settings.layers.join("steps"), KeptKind::Layer),
            (images.join("layers"), KeptKind::BaseLayer),
        ] {
            for mode in entries(&folders)?.iter().filter(|mode| is_folder(mode)) {
                for entry in entries(mode.path())?.iter().filter(|entry| is_folder(entry)) {
                    all.push(self.layer(entry.path(), kind, &mut meter));
                }
            }
        }
        let making = entries(&images.join("locks"))?.iter().any(|lock| lock::is_held(lock.path()));
        for blob in entries(&images.join("blobs"))? {
            all.push(self.leftover(blob.path(), making, &mut meter));
        }
        for folder in entries(&self.settings.scratch)? {
            all.push(self.leftover(folder.path(), scratch::is_alive(folder.path()), &mut meter));
        }
        Ok(all)
    }

    fn remove(&self, kept: &Kept) -> Result<Removal, EngineError> {
        let path = Utf8Path::new(&kept.id);
        let removed = match kept.kind {
            KeptKind::Leftover => self.remove_leftover(path)?,
            _ => layers::remove(path, &self.errands)?,
        };
        Ok(if removed { Removal::Removed } else { Removal::InUse })
    }
}

impl EmbeddedEngine {
    fn layer(&self, path: &Utf8Path, kind: KeptKind, meter: &mut DiskMeter) -> Kept {
        if let Some(owner) = unfinished(path) {
            return self.leftover(path, lock::is_held(&owner), meter);
        }
        let lock = lock::beside(path);
        let title = fs_err::read_to_string(&lock).ok().filter(|title| !title.is_empty());
        let used = lock.metadata().or_else(|_| path.metadata()).and_then(|lock| lock.modified());
        Kept {
            kind,
            id: path.to_string(),
            title,
            size: self.errands.measure(path, meter),
            last_used: used.ok(),
            in_use: lock::is_held(&lock),
            below: None,
        }
    }

    fn leftover(&self, path: &Utf8Path, in_use: bool, meter: &mut DiskMeter) -> Kept {
        Kept {
            kind: KeptKind::Leftover,
            id: path.to_string(),
            title: None,
            size: self.errands.measure(path, meter),
            last_used: path.symlink_metadata().and_then(|found| found.modified()).ok(),
            in_use,
            below: None,
        }
    }

    fn remove_leftover(&self, path: &Utf8Path) -> Result<bool, EngineError> {
        let images = self.settings.layers.join("images");
        let _held = if path.starts_with(&self.settings.scratch) {
            match scratch::lock_folder(path).map_err(failed("lock", path))? {
                Some(lock) => Some(lock),
                None => return Ok(!path.exists()),
            }
        } else if path.starts_with(images.join("blobs")) {
            // Whoever fetches a layer holds one of these.
            let locks = entries(&images.join("locks"))?;
            if locks.iter().any(|lock| lock::is_held(lock.path())) {
                return Ok(false);
            }
            None
        } else if let Some(owner) = unfinished(path) {
            match lock::try_alone(&owner).map_err(failed("lock", &owner))? {
                Some(lock) => Some(lock),
                None => return Ok(false),
            }
        } else {
            None
        };
        let removed = match path.is_dir() {
            true => self.errands.remove(path),
            false => fs_err::remove_file(path),
        };
        removed.map_err(failed("remove", path))?;
        Ok(true)
    }
}

/// The lock of whoever makes or removes the layer that a folder was to become, or was.
fn unfinished(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let name = path.file_name()?;
    if let Some(key) = name.strip_suffix(".new") {
        return Some(path.with_file_name(format!("{key}.lock")));
    }
    let key = name.strip_prefix(".new-")?;
    // images/layers/MODE/.new-KEY, made by who holds images/locks/KEY.
    Some(path.ancestors().nth(3)?.join("locks").join(key))
}

fn is_folder(entry: &Utf8DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

/// What is in a folder, by name; nothing, when there is no such folder.
fn entries(folder: &Utf8Path) -> Result<Vec<Utf8DirEntry>, EngineError> {
    let read = || match folder.read_dir_utf8() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect::<Result<Vec<_>, _>>(),
    };
    let mut entries = read().map_err(failed("read", folder))?;
    entries.sort_by(|one, other| one.file_name().cmp(other.file_name()));
    Ok(entries)
}
