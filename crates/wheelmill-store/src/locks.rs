//! Locks: what a cell resolved to, so that later runs need no network.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use wheelmill_model::Digest;

use crate::columns::{Moment, Text};
use crate::database::Durability;
use crate::{Store, StoreError};

/// What a request resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredLock {
    /// The digest of what was asked for.
    pub request: Digest,
    /// The answer, in the caller's format.
    pub text: String,
    /// When it was resolved.
    pub created_at: Timestamp,
}

impl Store {
    /// What the request resolved to before.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn lock(&self, request: &Digest) -> Result<Option<StoredLock>, StoreError> {
        self.database.read("read a lock", |transaction| {
            let lock = transaction
                .prepare_cached("SELECT text, created_at FROM locks WHERE request = ?1")?
                .query_row([Text(request)], |row| {
                    let Moment(created_at) = row.get(1)?;
                    Ok(StoredLock { request: *request, text: row.get(0)?, created_at })
                })
                .optional()?;
            Ok(lock)
        })
    }

    /// Every lock. There are as many as cells were resolved, so a matrix of thousands is planned
    /// with one question.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn locks(&self) -> Result<Vec<StoredLock>, StoreError> {
        self.database.read("read the locks", |transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT request, text, created_at FROM locks")?;
            let locks = statement
                .query_map([], |row| {
                    let Text(request) = row.get(0)?;
                    let Moment(created_at) = row.get(2)?;
                    Ok(StoredLock { request, text: row.get(1)?, created_at })
                })?
                .collect::<Result<_, _>>()?;
            Ok(locks)
        })
    }

    /// Keeps what the request resolved to, in place of what it resolved to before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn put_lock(&self, request: &Digest, text: &str) -> Result<(), StoreError> {
        self.database.write("keep a lock", Durability::Power, |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO locks (request, text, created_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (request) DO UPDATE SET
                         text = excluded.text, created_at = excluded.created_at",
                )?
                .execute(params![Text(request), text, Moment(Timestamp::now())])?;
            Ok(())
        })
    }

    /// Forgets what the request resolved to; returns whether anything was kept.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_lock(&self, request: &Digest) -> Result<bool, StoreError> {
        self.database.write("remove a lock", Durability::Power, |transaction| {
            let removed = transaction
                .prepare_cached("DELETE FROM locks WHERE request = ?1")?
                .execute([Text(request)])?;
            Ok(removed > 0)
        })
    }
}
