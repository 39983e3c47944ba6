//! Keeps the cache's downloads and lists in their places while a build may read them.

use std::fs::File;
use std::io;

use camino::Utf8Path;
use wheelmill_engine::lock;

/// Held by all builds together, or by the one who removes things, alone.
const LOCK: &str = "builds.lock";

/// Keeps others from removing what builds read, until it is dropped. That it cannot be had on this
/// file system is not worth failing a build for.
pub(crate) fn share(cache: &Utf8Path) -> Option<File> {
    let take = || {
        fs_err::create_dir_all(cache)?;
        let file = File::options().create(true).append(true).open(cache.join(LOCK))?;
        file.lock_shared()?;
        io::Result::Ok(file)
    };
    take().inspect_err(|error| tracing::warn!(%cache, %error, "the cache is not locked")).ok()
}

/// Keeps builds from beginning, unless one goes on; none then.
pub(crate) fn try_alone(cache: &Utf8Path) -> io::Result<Option<File>> {
    lock::try_alone(&cache.join(LOCK))
}

/// Whether a build goes on. Nothing is made or changed.
pub(crate) fn is_shared(cache: &Utf8Path) -> bool {
    lock::is_held(&cache.join(LOCK))
}
