//! What lies in the folders of the cache and of the store, beside what engines keep there.

use std::io;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use wheelmill_engine::{DiskMeter, Removal, lock};

use super::item::{CleanItem, CleanKind, CleanState, Way};
use crate::build::compile_cache::FOLDER as COMPILES;
use crate::{cache_use, tree};

/// Before the name of what is being removed: what is half removed must not look whole.
const REMOVED: &str = ".removed-";

/// Looks into folders.
pub(super) struct Folders<'a> {
    pub(super) home: &'a Utf8Path,
    pub(super) cache: &'a Utf8Path,
    pub(super) meter: DiskMeter,
}

impl Folders<'_> {
    /// Everything in them that takes room.
    ///
    /// # Errors
    /// A folder cannot be read, with its path.
    pub(super) fn items(&mut self) -> Result<Vec<CleanItem>, (Utf8PathBuf, io::Error)> {
        let mut items = self.downloads()?;
        items.extend(self.work()?);
        let (history, wheels) = (CleanKind::History, CleanKind::Wheels);
        for (kind, what, name) in [
            (history, "runs and locks", "store.sqlite3"),
            (history, "logs of builds", "logs"),
            (wheels, "all in the store", "wheels"),
        ] {
            let path = self.home.join(name);
            if path.exists() {
                items.push(self.item(kind, what, &path, Way::Never, false));
            }
        }
        Ok(items)
    }

    fn downloads(&mut self) -> Result<Vec<CleanItem>, (Utf8PathBuf, io::Error)> {
        let (cache, busy) = (self.cache, cache_use::is_shared(self.cache));
        let mut items = Vec::new();
        for path in entries(cache)?.into_iter().filter(|path| is_half_removed(path)) {
            items.push(self.leftover(&path));
        }
        let lists = cache.join("requirements");
        if lists.exists() {
            let way = Way::Quiet(lists.clone());
            items.push(self.item(CleanKind::Download, "lists of versions", &lists, way, busy));
        }
        for folder in ["sources", "downloads"].map(|name| cache.join(name)) {
            for path in entries(&folder)? {
                let name = path.file_name().unwrap_or_default();
                let half = name.starts_with(".tmp");
                let kind = if half { CleanKind::Leftover } else { CleanKind::Download };
                let what = format!("source {}", &name[..name.len().min(12)]);
                let way = Way::Quiet(path.clone());
                items.push(self.item(kind, &what, &path, way, busy));
            }
        }
        for path in entries(&cache.join(COMPILES))?.into_iter().filter(|path| path.is_dir()) {
            if is_half_removed(&path) {
                items.push(self.leftover(&path));
                continue;
            }
            let used = lock::is_held(&path.with_extension("lock"));
            let what = format!("compiles of {}", path.file_name().unwrap_or_default());
            let way = Way::Locked(path.clone());
            items.push(self.item(CleanKind::CompileCache, &what, &path, way, used));
        }
        for path in entries(&cache.join("ccache"))?.into_iter().filter(|path| path.is_dir()) {
            let name = path.file_name().unwrap_or_default();
            let (what, way) = (format!("ccache {name}"), Way::Quiet(path.clone()));
            items.push(self.item(CleanKind::Download, &what, &path, way, busy));
        }
        for path in entries(&cache.join("uv"))?.into_iter().filter(|path| path.is_dir()) {
            let name = path.file_name().unwrap_or_default();
            if is_half_removed(&path) {
                items.push(self.leftover(&path));
            } else if name == "cache" {
                if entries(&path)?.iter().all(|part| part.file_name() == Some(".lock")) {
                    continue;
                }
                let used = busy || lock::is_held(&path.join(".lock"));
                let (what, way) = ("packages that uv has fetched", Way::Uv(path.clone()));
                items.push(self.item(CleanKind::UvCache, what, &path, way, used));
            } else {
                let (what, way) = (format!("uv {name}"), Way::Quiet(path.clone()));
                items.push(self.item(CleanKind::Download, &what, &path, way, busy));
            }
        }
        Ok(items)
    }

    fn work(&mut self) -> Result<Vec<CleanItem>, (Utf8PathBuf, io::Error)> {
        let mut items = Vec::new();
        for path in entries(&self.home.join("work"))?.into_iter().filter(|path| path.is_dir()) {
            if is_half_removed(&path) {
                items.push(self.leftover(&path));
                continue;
            }
            let used = lock::is_held(&path.with_extension("lock"));
            let (what, way) = ("what a cell has that is not built yet", Way::Locked(path.clone()));
            items.push(self.item(CleanKind::Work, what, &path, way, used));
        }
        Ok(items)
    }

    fn leftover(&mut self, path: &Utf8Path) -> CleanItem {
        let way = Way::Anytime(path.to_owned());
        self.item(CleanKind::Leftover, "half removed", path, way, false)
    }

    fn item(
        &mut self,
        kind: CleanKind,
        what: &str,
        path: &Utf8Path,
        way: Way,
        in_use: bool,
    ) -> CleanItem {
        let found = self.meter.measure(path);
        CleanItem {
            kind,
            engine: None,
            what: what.to_owned(),
            place: path.to_string(),
            size_bytes: found.bytes,
            last_used: found.newest.and_then(moment),
            state: match (kind.is_spare(), in_use) {
                (false, _) => CleanState::Kept,
                (true, true) => CleanState::InUse,
                (true, false) => CleanState::Free,
            },
            unread: found.unread,
            way,
            below: None,
        }
    }
}

/// Removes what lies in a folder, unless a build uses it. What is cut short leaves a leftover.
pub(super) fn remove(way: &Way, cache: &Utf8Path) -> io::Result<Removal> {
    let doomed = match way {
        Way::Never | Way::Keeper(..) => return Ok(Removal::InUse),
        Way::Anytime(path) => path.clone(),
        Way::Quiet(path) => {
            let Some(_alone) = cache_use::try_alone(cache)? else { return Ok(Removal::InUse) };
            set_aside(path)?
        }
        Way::Locked(path) => {
            let removed = remove_locked(path)?;
            return Ok(if removed { Removal::Removed } else { Removal::InUse });
        }
        Way::Uv(path) => {
            let Some(_alone) = cache_use::try_alone(cache)? else { return Ok(Removal::InUse) };
            let Some(_alone) = lock::try_alone(&path.join(".lock"))? else {
                return Ok(Removal::InUse);
            };
            empty_uv(path)?
        }
    };
    match doomed.symlink_metadata() {
        Ok(found) if found.is_dir() => tree::remove(&doomed)?,
        Ok(_) => fs_err::remove_file(&doomed)?,
        Err(_) => {}
    }
    Ok(Removal::Removed)
}

/// Removes a folder that has a lock beside it. False when it is in use.
pub(crate) fn remove_locked(path: &Utf8Path) -> io::Result<bool> {
    let lock = lock::try_alone(&path.with_extension("lock"))?;
    let Some(_alone) = lock else { return Ok(false) };
    tree::remove(&set_aside(path)?)?;
    Ok(true)
}

/// Gives something the name of what is being removed.
fn set_aside(path: &Utf8Path) -> io::Result<Utf8PathBuf> {
    let doomed = aside(path);
    tree::remove(&doomed)?;
    match fs_err::rename(path, &doomed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    Ok(doomed)
}

fn aside(path: &Utf8Path) -> Utf8PathBuf {
    path.with_file_name(format!("{REMOVED}{}", path.file_name().unwrap_or_default()))
}

/// Sets everything in uv's cache aside, but the lock that is held. What other parts name, the
/// unpacked archives, goes last: a cache without names is one that uv can use.
fn empty_uv(cache: &Utf8Path) -> io::Result<Utf8PathBuf> {
    let doomed = aside(cache);
    tree::remove(&doomed)?;
    fs_err::create_dir(&doomed)?;
    let mut parts = entries(cache).map_err(|(_, error)| error)?;
    parts.retain(|part| part.file_name() != Some(".lock"));
    parts.sort_by_key(|part| part.file_name().is_some_and(|name| name.starts_with("archive-")));
    for part in parts {
        fs_err::rename(&part, doomed.join(part.file_name().unwrap_or_default()))?;
    }
    Ok(doomed)
}

fn is_half_removed(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| name.starts_with(REMOVED))
}

/// What is in a folder, by name; nothing, when there is no such folder.
fn entries(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, (Utf8PathBuf, io::Error)> {
    let read = || match folder.read_dir_utf8() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found?.map(|entry| Ok(entry?.into_path())).collect::<io::Result<Vec<_>>>(),
    };
    let mut paths = read().map_err(|error| (folder.to_owned(), error))?;
    paths.sort();
    Ok(paths)
}

/// A time of the file system.
pub(super) fn moment(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new(files: &[&str]) -> Self {
            let place = Self { folder: tempfile::tempdir().unwrap() };
            for name in files {
                let path = place.path().join(name);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, "x").unwrap();
            }
            place
        }

        fn path(&self) -> &Utf8Path {
            Utf8Path::from_path(self.folder.path()).unwrap()
        }

        fn items(&self) -> Vec<CleanItem> {
            let (home, cache) = (self.path().join("home"), self.path().join("cache"));
            let meter = DiskMeter::default();
            Folders { home: &home, cache: &cache, meter }.items().unwrap()
        }

        fn remove(&self, item: &CleanItem) -> Removal {
            remove(&item.way, &self.path().join("cache")).unwrap()
        }
    }

    #[test]
    fn all_that_can_be_had_again_goes_and_wheels_stay() {
        let place = Place::new(&[
            "cache/sources/0123456789abcdef",
            "cache/requirements/a.txt",
            "cache/uv/1.2.3/uv",
            "cache/uv/cache/.lock",
            "cache/uv/cache/archive-v0/a/b",
            "cache/ccache/1.2.3/ccache",
            "cache/compiles/a-package/0/1/object",
            "home/work/key/out/a.whl",
            "home/wheels/sha256/a.whl",
            "home/logs/run/cell/1.log",
            "home/store.sqlite3",
        ]);
        for item in place.items() {
            let expected = match item.state {
                CleanState::Kept => Removal::InUse,
                _ => Removal::Removed,
            };
            assert_eq!(place.remove(&item), expected, "{item:?}");
        }
        let kinds: Vec<CleanKind> = place.items().iter().map(|item| item.kind).collect();
        let (history, wheels) = (CleanKind::History, CleanKind::Wheels);
        assert_eq!(kinds, [history, history, wheels]);
        assert!(place.path().join("cache/uv/cache/.lock").exists(), "somebody may wait for it");
        assert!(place.path().join("home/wheels/sha256/a.whl").exists());
    }

    #[test]
    fn nothing_is_taken_from_a_build() {
        let place = Place::new(&["cache/sources/a", "cache/uv/cache/b", "home/work/key/out/c"]);
        let build = cache_use::share(&place.path().join("cache"));
        let cell = lock::try_alone(&place.path().join("home/work/key.lock")).unwrap();
        let items = place.items();
        assert_eq!(items.len(), 3);
        for item in &items {
            assert_eq!(item.state, CleanState::InUse, "{item:?}");
            assert_eq!(place.remove(item), Removal::InUse, "{item:?}");
        }
        drop((build, cell));
        assert!(place.items().iter().all(|item| item.state == CleanState::Free));
    }

    #[test]
    fn what_is_half_removed_never_looks_whole() {
        let place = Place::new(&["home/work/key/out/a", "cache/uv/1.2.3/uv"]);
        for item in place.items() {
            // As when the program is killed here.
            match &item.way {
                Way::Quiet(path) | Way::Locked(path) => drop(set_aside(path).unwrap()),
                other => panic!("{other:?}"),
            }
        }
        let items = place.items();
        assert!(items.iter().all(|item| item.kind == CleanKind::Leftover), "{items:?}");
        assert_eq!(items.len(), 2);
        for item in &items {
            assert_eq!(place.remove(item), Removal::Removed);
        }
        assert!(place.items().is_empty());
    }
}
