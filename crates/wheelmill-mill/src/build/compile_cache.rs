//! The cache of compiles: one folder for each package, which lasts from build to build.
//!
//! A package's build writes there as it likes, so a hostile one deceives nobody but itself. Nothing
//! of it enters a cell's key: an object from the cache is the one that the compiler made.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheelmill_engine::{Container, DiskMeter, EngineError, Prepared};
use wheelmill_gate::{CacheUse, CompileCache, CompileRecord, is_probe};
use wheelmill_model::{ByteSize, PackageName};

use super::compile::mount;
use super::context::AttemptContext;
use super::job::Stop;
use super::log::CellLog;
use super::work::Work;
use crate::clean::remove_locked;
use crate::environment::paths;
use crate::error::brief;
use crate::event::Event;
use crate::fetch::{CCACHE, FetchError};

/// The folder of the cache that holds a folder for each package.
pub(crate) const FOLDER: &str = "compiles";

/// What the compile cache did for a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CacheCount {
    /// Compiles that it answered.
    pub hits: usize,
    /// Compiles that it did not have.
    pub misses: usize,
    /// Compiles of a kind that it cannot keep.
    pub not_cacheable: usize,
}

impl CacheCount {
    /// Counts the compiles that came to their end, without a build system's questions to
    /// compilers. None where no cache was asked.
    #[must_use]
    pub fn of(records: &[CompileRecord]) -> Option<Self> {
        let mut count = Self::default();
        let counts = |it: &&CompileRecord| it.outcome.is_success() && !is_probe(&it.source);
        let ended = records.iter().filter(counts);
        for used in ended.filter_map(|record| record.cache) {
            *match used {
                CacheUse::Hit => &mut count.hits,
                CacheUse::Miss => &mut count.misses,
                CacheUse::NotCacheable => &mut count.not_cacheable,
            } += 1;
        }
        (count != Self::default()).then_some(count)
    }
}

impl fmt::Display for CacheCount {
    /// `14 of 16 compiles from the cache`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hits, misses, not_cacheable } = self;
        let all = hits + misses + not_cacheable;
        let plural = if all == 1 { "" } else { "s" };
        write!(formatter, "{hits} of {all} compile{plural} from the cache")?;
        match not_cacheable {
            0 => Ok(()),
            count => write!(formatter, "; {count} cannot be kept"),
        }
    }
}

/// Why a build goes without the cache.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    #[error("ccache is not to be had")]
    Program(#[source] FetchError),
    #[error("its folder `{folder}` cannot be used")]
    Folder {
        folder: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("it could not be tried")]
    Probe(#[source] EngineError),
    #[error("it was tried with the compilers of this environment, and {0}")]
    Unusable(&'static str),
}

impl CacheError {
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Program(FetchError::Cancelled) | Self::Probe(EngineError::Cancelled))
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Program(error) => Some(format!("{}; or `--no-cache`", error.hint())),
            _ => None,
        }
    }
}

/// Whether a user was told already that there is no cache; once in an invocation is enough.
#[derive(Debug, Default)]
pub(crate) struct Told(AtomicBool);

/// The folder of a package, held for a build.
pub(super) struct HeldCache {
    program: Utf8PathBuf,
    folder: Utf8PathBuf,
    size: ByteSize,
    /// Keeps others from removing the folder.
    #[expect(dead_code, reason = "held, not read")]
    held: File,
}

impl HeldCache {
    /// Takes the folder of a package. Its lock's time is when it was last used.
    fn take(
        cache: &Utf8Path,
        package: &PackageName,
        program: Utf8PathBuf,
        size: ByteSize,
    ) -> Result<Self, CacheError> {
        let folder = cache.join(FOLDER).join(package.as_str());
        let take = || {
            fs_err::create_dir_all(cache.join(FOLDER))?;
            let lock = folder.with_extension("lock");
            let held = File::options().create(true).append(true).open(lock)?;
            held.lock_shared()?;
            held.set_modified(SystemTime::now())?;
            // Under the lock, since whoever removes the folder has it alone.
            fs_err::create_dir_all(&folder)?;
            io::Result::Ok(held)
        };
        match take() {
            Ok(held) => Ok(Self { program, folder, size, held }),
            Err(source) => Err(CacheError::Folder { folder, source }),
        }
    }

    /// ccache, on this machine.
    pub(super) fn program(&self) -> &Utf8Path {
        &self.program
    }

    /// Shows it to a container; what the gate there has to know.
    pub(super) fn show(&self, container: &mut Container) -> CompileCache<'static> {
        container.mounts.push(mount(&self.program, paths::CCACHE, false));
        container.mounts.push(mount(&self.folder, paths::COMPILES, true));
        CompileCache {
            program: Utf8Path::new(paths::CCACHE),
            folder: Utf8Path::new(paths::COMPILES),
            size: self.size,
        }
    }
}

/// Removes folders of packages, those first that were used longest ago, until all together take no
/// more than a size. What a build uses stays, and counts.
pub(super) fn trim(cache: &Utf8Path, size: ByteSize) -> io::Result<()> {
    let mut meter = DiskMeter::default();
    let mut folders = Vec::new();
    let Ok(entries) = cache.join(FOLDER).read_dir_utf8() else { return Ok(()) };
    for entry in entries {
        let path = entry?.into_path();
        if path.is_dir() {
            let used = path.with_extension("lock").metadata().and_then(|it| it.modified()).ok();
            folders.push((used, meter.measure(&path).bytes, path));
        }
    }
    folders.sort();
    let mut sum: u64 = folders.iter().map(|(_, size, _)| size).sum();
    for (_, bytes, path) in folders {
        if sum <= size.0 {
            break;
        }
        if remove_locked(&path)? {
            sum -= bytes;
        }
    }
    Ok(())
}

impl Work<'_> {
    /// The compile cache for this build: none where it is off, and where it is not to be had, which
    /// is said.
    pub(super) fn compile_cache(
        &self,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Option<HeldCache>, Stop> {
        let AttemptContext { mill, reporter, .. } = *self.course.context;
        let Some(size) = mill.settings.compile_cache else { return Ok(None) };
        match self.take_cache(size, prepared, log) {
            Ok(cache) => Ok(Some(cache)),
            Err(error) if error.is_cancelled() => Err(EngineError::Cancelled.into()),
            Err(error) => {
                let message = format!("compiles are not cached: {}", brief(&error));
                log.note(&message);
                if !mill.told_of_cache.0.swap(true, Ordering::Relaxed) {
                    reporter.report(&Event::Warning { cell: None, message, hint: error.hint() });
                }
                Ok(None)
            }
        }
    }

    /// Gives the folder back, and lets go what is too much.
    pub(super) fn leave_cache(&self, cache: Option<HeldCache>) {
        let Some(HeldCache { size, .. }) = cache else { return };
        let place = &self.course.context.mill.settings.cache;
        if let Err(error) = trim(place, size) {
            tracing::warn!(%place, %error, "the compile cache may be larger than it should be");
        }
    }

    fn take_cache(
        &self,
        size: ByteSize,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<HeldCache, CacheError> {
        let AttemptContext { mill, client, index, cancel, .. } = *self.course.context;
        let (machine, cache) = (mill.host.machine, &mill.settings.cache);
        let mut progress = self.download("ccache");
        let program = CCACHE
            .ensure(client, index, machine, cache, &mut progress, cancel)
            .map_err(CacheError::Program)?;
        let package = &self.cell.cell.package;
        let cache = HeldCache::take(cache, package, program, size)?;
        self.probe(&cache, prepared, log)?;
        Ok(cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    /// A package's folder with an object, last used so many seconds after a moment.
    fn used(cache: &Utf8Path, package: &str, moment: u64) -> HeldCache {
        let name = package.parse().unwrap();
        let held = HeldCache::take(cache, &name, "ccache".into(), ByteSize(1)).unwrap();
        fs_err::write(held.folder.join("object"), vec![1; 100_000]).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(moment);
        let lock = File::options().append(true).open(held.folder.with_extension("lock")).unwrap();
        lock.set_modified(time).unwrap();
        held
    }

    #[test]
    fn what_was_used_longest_ago_goes_until_the_rest_fits() {
        let (_folder, cache) = folder();
        for (package, moment) in [("old", 1), ("older", 0), ("new", 3), ("newer", 4)] {
            drop(used(&cache, package, moment));
        }
        let there = |package: &str| cache.join(FOLDER).join(package).exists();
        trim(&cache, ByteSize(1 << 30)).unwrap();
        assert!(["old", "older", "new", "newer"].into_iter().all(there));
        trim(&cache, ByteSize(250_000)).unwrap();
        assert_eq!(["old", "older", "new", "newer"].map(there), [false, false, true, true]);
    }

    #[test]
    fn what_a_build_uses_stays() {
        let (_folder, cache) = folder();
        let held = used(&cache, "a", 0);
        drop(used(&cache, "b", 1));
        trim(&cache, ByteSize(0)).unwrap();
        assert!(held.folder.join("object").exists());
        assert!(!cache.join(FOLDER).join("b").exists());
    }

    #[test]
    fn the_count_is_told_in_words() {
        let count = CacheCount { hits: 14, misses: 2, not_cacheable: 0 };
        assert_eq!(count.to_string(), "14 of 16 compiles from the cache");
        let count = CacheCount { hits: 0, misses: 0, not_cacheable: 1 };
        assert_eq!(count.to_string(), "0 of 1 compile from the cache; 1 cannot be kept");
    }
}
