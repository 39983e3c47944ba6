//! What can go wrong in a store.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::statvfs::statvfs;
use wheelmill_model::{Digest, RunId, TagError};

use crate::AttemptId;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store's folder is a file, or lies below one.
    #[error("the store `{path}` is not a folder")]
    NotAFolder {
        /// What was given as the store's folder.
        path: Utf8PathBuf,
    },
    /// The store's folder was given by a path that is not absolute and cannot be made so.
    #[error("could not find out the absolute path of the store `{path}`")]
    NoAbsolutePath {
        /// What was given as the store's folder.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder cannot be written: a read-only disk, or somebody else's folder.
    #[error("`{path}` cannot be written: it is read-only for this user")]
    ReadOnly {
        /// The file or folder that refused.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No space is left, or the user's quota is used up. Nothing that was stored is lost.
    #[error("the disk that holds `{path}` is full")]
    DiskFull {
        /// What could not be written.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database was written by a newer wheelmill.
    #[error(
        "the store `{path}` was written by a newer wheelmill: its format is {found}, this program \
         knows up to {known}"
    )]
    Newer {
        /// The database.
        path: Utf8PathBuf,
        /// The format it has.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// The database belongs to another program.
    #[error("`{path}` is a database of another program, not a wheelmill store")]
    NotAStore {
        /// The database.
        path: Utf8PathBuf,
    },
    /// The database is damaged, or is no database. Nothing was changed.
    #[error(
        "the store's database `{path}` is damaged; nothing was changed: move it away to start a \
         new history, the wheels below `wheels/` stay usable"
    )]
    Damaged {
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Another process kept the database locked for longer than the store waits.
    #[error("could not {action}: another process keeps `{path}` locked")]
    Busy {
        /// What was wanted: `begin a run`.
        action: &'static str,
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database refused.
    #[error("could not {action} in `{path}`")]
    Database {
        /// What was wanted: `begin a run`.
        action: &'static str,
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file or folder could not be used.
    #[error("could not {action} `{path}`")]
    File {
        /// What was wanted: `create`, `copy`.
        action: &'static str,
        /// What it was wanted of.
        path: Utf8PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that is to be added has no wheel's name.
    #[error("`{path}` cannot be stored as a wheel")]
    NotAWheel {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with its name.
        #[source]
        source: TagError,
    },
    /// No wheel has this content.
    #[error("no wheel `{digest}` is in the store")]
    NoSuchWheel {
        /// What was asked for.
        digest: Digest,
    },
    /// A wheel is known, but its file is gone.
    #[error("the wheel `{path}` is known, but its file is gone")]
    WheelGone {
        /// Where it was.
        path: Utf8PathBuf,
    },
    /// A wheel's file does not hold what was stored.
    #[error("the wheel `{path}` is damaged: its content is now {found}")]
    WheelDamaged {
        /// The file.
        path: Utf8PathBuf,
        /// The digest of what it holds.
        found: Digest,
    },
    /// A file would be replaced that nobody allowed to replace.
    #[error("`{path}` exists already")]
    Exists {
        /// The file.
        path: Utf8PathBuf,
    },
    /// No run has this identifier.
    #[error("no run `{text}` is in the history")]
    NoSuchRun {
        /// What was asked for.
        text: String,
    },
    /// The beginning of an identifier fits more than one run.
    #[error("`{text}` may be any of the runs {}", candidates.join(", "))]
    AmbiguousRun {
        /// What was asked for.
        text: String,
        /// Some runs that it fits, newest first.
        candidates: Vec<String>,
    },
    /// An attempt is not in the history.
    #[error("no attempt {attempt} is in the history")]
    NoSuchAttempt {
        /// What was asked for.
        attempt: AttemptId,
    },
    /// A run is alive, but its process cannot be seen from here.
    #[error("the run `{run}` is alive, but its process {pid} is in another container")]
    OwnerElsewhere {
        /// The run.
        run: RunId,
        /// The process, as it is numbered over there.
        pid: u32,
    },
}

impl StoreError {
    /// Names an input or output error by its cause where that has a name of its own.
    pub(crate) fn file(action: &'static str, path: &Utf8Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, source: source.into() }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source: source.into() }
            }
            _ => Self::File { action, path, source },
        }
    }

    /// Names a failure of SQLite by its cause where that has a name of its own.
    pub(crate) fn database(action: &'static str, path: &Utf8Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;

        let full = || statvfs(path.as_std_path()).is_ok_and(|disk| disk.blocks_available() == 0);
        let path_owned = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path: path_owned, source: source.into() },
            // The shared memory file reports a full disk as a plain failure of input and output.
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if full() => {
                Self::DiskFull { path: path_owned, source: source.into() }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path: path_owned, source: source.into() }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path_owned, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { action, path: path_owned, source }
            }
            _ => Self::Database { action, path: path_owned, source },
        }
    }
}
