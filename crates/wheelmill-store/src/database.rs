//! Opening the database, and the rules for every access to it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::statfs::{self, FsType};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::StoreError;
use crate::schema::{APPLICATION, MIGRATIONS};

/// How long an access waits for other processes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Cached statements: more than there are queries.
const STATEMENTS: usize = 64;

/// File systems that several machines share, by the numbers in statfs(2) and, for Lustre, GPFS and
/// BeeGFS, in their own headers. `SQLite`'s write-ahead log needs memory shared by all processes,
/// which such a file system cannot give (sqlite.org/wal.html, "All processes … on the same host").
const SHARED_FILE_SYSTEMS: [i64; 9] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
    0x00c3_6400, // Ceph
    0x0102_1997, // 9P
];

/// How much a commit must survive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The loss of power: synced before the commit returns.
    Power,
    /// The death of this process, not that of the machine.
    Process,
}

/// Who may use the database at one time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Users {
    /// Any number of processes.
    Any,
    /// This process: the others wait until it is done.
    ThisProcess,
}

/// Why the work within a transaction stopped.
pub(crate) enum Stop {
    Database(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The one connection of this process.
#[derive(Debug)]
pub(crate) struct Database {
    path: Utf8PathBuf,
    connection: Mutex<Connection>,
    write_ahead: bool,
}

impl Database {
    /// Opens the database, creates it where there is none, and brings it to the newest format.
    pub(crate) fn open(path: &Utf8Path) -> Result<Self, StoreError> {
        match Self::open_for(path, Users::Any) {
            // The processes of a write-ahead log share memory through a file, for which there is no
            // space now. Alone it can be done without, and a wheel can be removed to make space.
            Err(full @ StoreError::DiskFull { .. }) => {
                Self::open_for(path, Users::ThisProcess).map_err(|_| full)
            }
            other => other,
        }
    }

    fn open_for(path: &Utf8Path, users: Users) -> Result<Self, StoreError> {
        let failed = |error| StoreError::database("open the database", path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        if users == Users::ThisProcess {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failed)?;
        }
        check_owner(&connection, path)?;
        // SQLite opens what it may not write for reading, without a word.
        if connection.is_readonly(rusqlite::MAIN_DB).map_err(failed)? {
            let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(StoreError::ReadOnly { path: path.to_owned(), source: source.into() });
        }
        let write_ahead = settle_journal(&connection, path).map_err(failed)?;
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(failed)?;
        migrate(&mut connection).map_err(failed)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), write_ahead })
    }

    /// Reads. All statements of `work` see one state.
    pub(crate) fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Stop>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        self.within(action, &mut connection, TransactionBehavior::Deferred, work)
    }

    /// Writes: all of `work` or nothing, and nobody else writes meanwhile.
    pub(crate) fn write<T>(
        &self,
        action: &'static str,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Stop>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        // Without a write-ahead log, less than FULL could lose the whole database with the power.
        let relaxed = durability == Durability::Process && self.write_ahead;
        let failed = |error| StoreError::database(action, &self.path, error);
        if relaxed {
            connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        }
        let result = self.within(action, &mut connection, TransactionBehavior::Immediate, work);
        if relaxed {
            connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        }
        result
    }

    fn within<T>(
        &self,
        action: &'static str,
        connection: &mut Connection,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Stop>,
    ) -> Result<T, StoreError> {
        let attempt = || {
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        attempt().map_err(|stop| match stop {
            Stop::Database(error) => StoreError::database(action, &self.path, error),
            Stop::Store(error) => error,
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere has rolled its transaction back: the connection is as good as before.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Refuses, before anything is written, what is not this program's to write.
fn check_owner(connection: &Connection, path: &Utf8Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::database("open the database", path, error);
    // One state for all questions: between two of them another process may create the tables.
    let state = connection.unchecked_transaction().map_err(failed)?;
    let application = number(&state, "application_id").map_err(failed)?;
    let found = number(&state, "user_version").map_err(failed)?;
    let known = MIGRATIONS.len() as i64;
    if application == APPLICATION {
        return if found > known {
            Err(StoreError::Newer { path: path.to_owned(), found, known })
        } else {
            Ok(())
        };
    }
    let tables: i64 = state
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if application == 0 && found == 0 && tables == 0 {
        Ok(())
    } else {
        Err(StoreError::NotAStore { path: path.to_owned() })
    }
}

/// Chooses the journal by the file system; returns whether it is a write-ahead log. A store that
/// was made without one stays so: its folder may be local here and shared elsewhere.
fn settle_journal(connection: &Connection, path: &Utf8Path) -> rusqlite::Result<bool> {
    let new = number(connection, "user_version")? == 0;
    let current: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let shared =
        statfs::statfs(path.as_std_path()).is_ok_and(|disk| is_shared(disk.filesystem_type()));
    let wanted = match (shared, current.as_str()) {
        (false, "wal") | (true, "truncate") => return Ok(current == "wal"),
        (true, _) => "truncate",
        (false, _) if new => "wal",
        (false, _) => return Ok(false),
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let set = connection
            .pragma_update_and_check(None, "journal_mode", wanted, |row| row.get::<_, String>(0));
        match set {
            Ok(mode) => return Ok(mode == "wal"),
            // SQLite does not wait by itself here, and two processes may create one store at once.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_shared(kind: FsType) -> bool {
    // The width and sign of the number differ between machines; the numbers themselves fit 32 bits.
    let number = i64::from(kind.0 as u32);
    SHARED_FILE_SYSTEMS.contains(&number)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let known = MIGRATIONS.len() as i64;
    if number(connection, "user_version")? == known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = number(&transaction, "user_version")?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    if found < known {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_chosen_by_the_file_system() {
        assert!(is_shared(statfs::NFS_SUPER_MAGIC));
        assert!(is_shared(FsType(0xff53_4d42_u32 as _)));
        assert!(!is_shared(statfs::EXT4_SUPER_MAGIC) && !is_shared(statfs::TMPFS_MAGIC));
    }
}
