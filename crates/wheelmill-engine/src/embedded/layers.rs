//! Where the layers that steps make are kept, and how processes share the place.
//!
//! Below the store's folder:
//!
//! ```text
//! steps/MODE/KEY           a finished layer: `root`, and beside it `usr`, `etc`, … on a host's root
//! steps/MODE/KEY.new       a layer in the making, with the kernel's work folder
//! steps/MODE/KEY.lock      held alone by whoever makes or removes the layer, shared by who uses it
//! ```
//!
//! A layer is written out before it is renamed to its name, so what has a name is whole. One that
//! cannot be moved, since its files name the place where they lie, is whole when it has a file
//! `finished`.

use std::fs::{File, TryLockError};
use std::io;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::Digest;

use super::errand::Errands;
use crate::{Cancel, EngineError, lock};

/// The name of the empty file in a layer that was made in its place and is whole.
const FINISHED: &str = "finished";

/// The layers that are kept for one mode.
#[derive(Debug)]
pub(super) struct LayerStore {
    folder: Utf8PathBuf,
    /// Whether layers are made where they stay, since what makes them sees where it is: a file
    /// then tells that one is finished.
    in_place: bool,
}

/// Held while a layer is made, removed or used.
#[derive(Debug)]
pub(super) struct LayerLock {
    file: File,
}

impl LayerLock {
    /// Notes that the layer is used, and what it is.
    pub(super) fn describe(&self, title: &str) {
        lock::note_use(&self.file, title);
    }

    /// The lock itself, for whoever keeps it longer.
    pub(super) fn into_file(self) -> File {
        self.file
    }
}

/// What is found of a layer.
pub(super) enum Place {
    /// It is there, and stays while the lock is held.
    Ready(LayerLock),
    /// It is not there, and nobody else makes it while the lock is held.
    Missing(LayerLock),
}

impl LayerStore {
    /// A store; its folder is made when something is kept.
    pub(super) fn new(layers: &Utf8Path, mode: &str) -> Self {
        Self { folder: layers.join("steps").join(mode), in_place: false }
    }

    /// A store of layers that are made where they stay.
    pub(super) fn in_place(layers: &Utf8Path, mode: &str) -> Self {
        Self { in_place: true, ..Self::new(layers, mode) }
    }

    /// The folder of a layer's `/`, there or not.
    pub(super) fn root(&self, key: &Digest) -> Utf8PathBuf {
        self.layer(key).join("root")
    }

    /// Whether a layer is there.
    fn contains(&self, key: &Digest) -> bool {
        let layer = self.layer(key);
        if self.in_place { layer.join(FINISHED).is_file() } else { layer.is_dir() }
    }

    fn layer(&self, key: &Digest) -> Utf8PathBuf {
        self.folder.join(key.to_string())
    }

    /// Finds a layer. When it is missing, the caller is the one who makes it.
    /// `waiting` is called where somebody else is at it.
    pub(super) fn find(
        &self,
        key: &Digest,
        cancel: &Cancel,
        waiting: &mut dyn FnMut(),
    ) -> Result<Place, EngineError> {
        let lock = self.take_shared(key, cancel, waiting)?;
        if self.contains(key) {
            return Ok(Place::Ready(lock));
        }
        drop(lock);
        let lock = self.wait(key, File::try_lock, cancel, waiting)?;
        if !self.contains(key) {
            return Ok(Place::Missing(lock));
        }
        // Somebody else has made it while we waited for the lock.
        self.made(key, lock, cancel).map(Place::Ready)
    }

    /// Lets others use a layer that was made.
    pub(super) fn made(
        &self,
        key: &Digest,
        lock: LayerLock,
        cancel: &Cancel,
    ) -> Result<LayerLock, EngineError> {
        drop(lock);
        self.use_layer(key, cancel)
    }

    /// Keeps a layer from being removed while it is used.
    pub(super) fn use_layer(
        &self,
        key: &Digest,
        cancel: &Cancel,
    ) -> Result<LayerLock, EngineError> {
        self.take_shared(key, cancel, &mut || {})
    }

    fn take_shared(
        &self,
        key: &Digest,
        cancel: &Cancel,
        waiting: &mut dyn FnMut(),
    ) -> Result<LayerLock, EngineError> {
        let lock = self.wait(key, File::try_lock_shared, cancel, waiting)?;
        // When it was last used, for whoever frees space.
        lock.describe("");
        Ok(lock)
    }

    fn wait(
        &self,
        key: &Digest,
        take: fn(&File) -> Result<(), TryLockError>,
        cancel: &Cancel,
        waiting: &mut dyn FnMut(),
    ) -> Result<LayerLock, EngineError> {
        fs_err::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        let path = self.folder.join(format!("{key}.lock"));
        let file = lock::wait(&path, take, cancel, waiting).map_err(failed("lock", &path))?;
        file.map(|file| LayerLock { file }).ok_or(EngineError::Cancelled)
    }

    /// Begins a layer. What somebody who was killed has left of it is removed.
    pub(super) fn begin<'a>(
        &self,
        key: &Digest,
        errands: &'a Errands,
    ) -> Result<NewLayer<'a>, EngineError> {
        let (folder, place) = (self.folder.join(format!("{key}.new")), self.layer(key));
        let upper = if self.in_place { place.clone() } else { folder.join("upper") };
        let layer = NewLayer { folder, upper, place, errands, done: false };
        layer.clear().map_err(failed("remove", &layer.folder))?;
        for folder in [layer.upper().join("root"), layer.work()] {
            fs_err::create_dir_all(&folder).map_err(failed("create", &folder))?;
        }
        Ok(layer)
    }

    /// Removes a layer that nobody uses; waits for nobody.
    pub(super) fn remove(&self, key: &Digest, errands: &Errands) -> Result<bool, EngineError> {
        fs_err::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        remove(&self.layer(key), errands)
    }

    /// The layers that are there, and when each was last used.
    pub(super) fn list(&self) -> Vec<(Digest, SystemTime)> {
        let entries = self.folder.read_dir_utf8().into_iter().flatten().flatten();
        let keys = entries.filter_map(|entry| entry.file_name().parse().ok());
        keys.filter(|key| self.contains(key))
            .map(|key: Digest| {
                let lock = self.folder.join(format!("{key}.lock"));
                let used = lock.metadata().and_then(|lock| lock.modified());
                (key, used.unwrap_or(SystemTime::UNIX_EPOCH))
            })
            .collect()
    }

    /// The key of a layer of this store, by its folder.
    pub(super) fn key_of(&self, root: &Utf8Path) -> Option<Digest> {
        let layer = root.parent()?;
        (layer.parent() == Some(&self.folder)).then(|| layer.file_name()?.parse().ok())?
    }
}

/// A layer in the making; removed again unless it is finished.
pub(super) struct NewLayer<'a> {
    folder: Utf8PathBuf,
    upper: Utf8PathBuf,
    place: Utf8PathBuf,
    errands: &'a Errands,
    done: bool,
}

impl NewLayer<'_> {
    /// The folder that becomes the layer.
    pub(super) fn upper(&self) -> Utf8PathBuf {
        self.upper.clone()
    }

    /// The folder for the kernel's own use.
    pub(super) fn work(&self) -> Utf8PathBuf {
        self.folder.join("work")
    }

    /// Removes what was made only to mount something on it, and is still empty: it depends on the
    /// machine, and is not what the step made.
    pub(super) fn remove_stubs(&self, stubs: &[Utf8PathBuf]) {
        // Children were made after their parents.
        for stub in stubs.iter().rev() {
            for place in self.places(stub) {
                let empty = place
                    .symlink_metadata()
                    .is_ok_and(|found| found.is_dir() || found.is_file() && found.len() == 0);
                if empty {
                    // A folder that a step has filled stays.
                    drop(fs_err::remove_file(&place).or_else(|_| fs_err::remove_dir(&place)));
                }
            }
        }
    }

    /// Where in the layer a path of the container may lie.
    fn places(&self, path: &Utf8Path) -> [Utf8PathBuf; 2] {
        let inside = path.as_str().trim_start_matches('/');
        [self.upper().join("root").join(inside), self.upper().join(inside)]
    }

    /// Writes the layer out and gives it its name.
    pub(super) fn finish(mut self) -> Result<(), EngineError> {
        let upper = self.upper();
        let sync = |folder: &Utf8Path| Ok(nix::unistd::syncfs(File::open(folder)?)?);
        sync(&upper).map_err(failed("write out", &upper))?;
        if upper == self.place {
            let finished = upper.join(FINISHED);
            let made = File::create(&finished).and_then(|file| file.sync_all());
            made.map_err(failed("create", &finished))?;
        } else {
            fs_err::rename(&upper, &self.place).map_err(failed("create", &self.place))?;
        }
        let parent = self.place.parent().expect("a layer lies in a store");
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("write out", parent))?;
        self.done = true;
        self.clear().map_err(failed("remove", &self.folder))
    }

    /// Removes all but a finished layer.
    fn clear(&self) -> io::Result<()> {
        let mut doomed = vec![&self.folder];
        if !self.done && self.upper == self.place {
            doomed.push(&self.place);
        }
        doomed
            .into_iter()
            .filter(|folder| folder.exists())
            .try_for_each(|folder| self.errands.remove(folder))
    }
}

impl Drop for NewLayer<'_> {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = self.clear()
        {
            tracing::warn!(folder = %self.folder, %error, "could not remove an unfinished layer");
        }
    }
}

/// Removes a layer that nobody uses, step's or image's; waits for nobody.
pub(super) fn remove(layer: &Utf8Path, errands: &Errands) -> Result<bool, EngineError> {
    let path = lock::beside(layer);
    let Some(_held) = lock::try_alone(&path).map_err(failed("lock", &path))? else {
        return Ok(false);
    };
    // Under another name first: what is half removed must not look whole.
    let doomed = Utf8PathBuf::from(format!("{layer}.new"));
    errands.remove(&doomed).map_err(failed("remove", &doomed))?;
    match fs_err::rename(layer, &doomed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result.map_err(failed("remove", layer))?,
    }
    errands.remove(&doomed).map_err(failed("remove", layer))?;
    Ok(true)
}

pub(super) fn failed(
    action: &'static str,
    path: &Utf8Path,
) -> impl FnOnce(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Files { action, path, source }
}
