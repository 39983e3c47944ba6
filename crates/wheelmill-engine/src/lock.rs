//! Locks beside what is kept: shared by who uses it, held alone by who makes or removes it.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use crate::Cancel;

/// How often a lock that somebody else holds is tried.
const POLL: Duration = Duration::from_millis(50);

/// The lock beside a folder.
pub(crate) fn beside(folder: &Utf8Path) -> Utf8PathBuf {
    format!("{folder}.lock").into()
}

/// Takes a lock, made when it is not there; none when the caller no longer wants it. `waiting` is
/// called once, where somebody holds the lock for longer than a look at it takes.
pub(crate) fn wait(
    path: &Utf8Path,
    take: fn(&File) -> Result<(), TryLockError>,
    cancel: &Cancel,
    waiting: &mut dyn FnMut(),
) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    let mut rounds = 0_u64;
    loop {
        match take(&file) {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if cancel.is_cancelled() => return Ok(None),
            Err(TryLockError::WouldBlock) => {
                if rounds == 1 {
                    waiting();
                }
                rounds += 1;
                thread::sleep(POLL);
            }
        }
    }
}

/// Takes a lock alone, unless somebody has it; none then.
///
/// # Errors
/// Its file cannot be made, or the file system knows no locks.
pub fn try_alone(path: &Utf8Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether somebody holds a lock; nothing is made or changed.
#[must_use]
pub fn is_held(path: &Utf8Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Notes in a lock that what it is for is used now, and what that is. Not worth failing for.
pub(crate) fn note_use(file: &File, title: &str) {
    use std::io::Write as _;

    let described = file.metadata().is_ok_and(|metadata| metadata.len() > 0);
    let mut writer = file;
    let written =
        if described || title.is_empty() { Ok(()) } else { writer.write_all(title.as_bytes()) };
    if let Err(error) = written.and_then(|()| file.set_modified(SystemTime::now())) {
        tracing::debug!(%error, "could not note the use of a layer");
    }
}
