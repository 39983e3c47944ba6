//! What each compile of the newest builds took.
//!
//! A large package has a thousand of them, so that only those of a few builds are kept: enough to
//! know what the next build will take, and to look at what the last ones did.

use std::collections::HashMap;

use rusqlite::{Transaction, params};
use serde_json::Value;
use wheelmill_model::{PackageName, RunId};

use crate::columns::{Json, Text};
use crate::database::{Durability, Stop};
use crate::{AttemptId, Store, StoreError};

/// Of so many attempts at a package the compiles are kept.
const KEPT: u32 = 8;

impl Store {
    /// Adds compiles that ended, in the caller's format, to what is known of an attempt. Those of old
    /// attempts at the same package are forgotten. Survives the death of this process.
    ///
    /// # Errors
    /// There is no such attempt, or the store cannot be written.
    pub fn add_compiles(&self, attempt: AttemptId, records: &[Value]) -> Result<(), StoreError> {
        self.database.write("note what compiles took", Durability::Process, |transaction| {
            super::write::check_attempt(transaction, attempt)?;
            let mut insert = transaction
                .prepare_cached("INSERT INTO compiles (attempt, record) VALUES (?1, ?2)")?;
            for record in records {
                insert.execute(params![attempt.0, record.to_string()])?;
            }
            forget(transaction, attempt)
        })
    }

    /// The compiles that are kept of a package, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn compiles_of(&self, package: &PackageName) -> Result<Vec<Value>, StoreError> {
        self.database.read("read what compiles took", |transaction| {
            records(
                transaction,
                package,
                "SELECT record FROM compiles JOIN attempts ON attempts.id = compiles.attempt
                 WHERE attempts.package = ?1 ORDER BY compiles.id",
            )
        })
    }

    /// The compiles of the package's newest build that came to a wheel, with those of the attempts
    /// before it that it went on from: all of them, where they are kept.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn compiles_of_last_build(&self, package: &PackageName) -> Result<Vec<Value>, StoreError> {
        self.database.read("read what was compiled last", |transaction| {
            records(
                transaction,
                package,
                "WITH last AS (
                     SELECT id, cell FROM attempts WHERE package = ?1 AND outcome = 'built'
                     ORDER BY id DESC LIMIT 1)
                 SELECT record FROM compiles
                 JOIN attempts ON attempts.id = compiles.attempt
                 JOIN last ON last.cell = attempts.cell
                 WHERE attempts.id <= last.id AND attempts.id > (
                     SELECT coalesce(max(before.id), 0) FROM attempts AS before
                     WHERE before.cell = last.cell AND before.outcome = 'built'
                         AND before.id < last.id)
                 ORDER BY compiles.id",
            )
        })
    }

    /// The compiles that are kept of each attempt of a run, in the order in which they ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn compiles_in(&self, run: &RunId) -> Result<HashMap<AttemptId, Vec<Value>>, StoreError> {
        self.database.read("read the compiles of a run", |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT compiles.attempt, record FROM compiles
                 JOIN attempts ON attempts.id = compiles.attempt
                 JOIN runs ON runs.sequence = attempts.run
                 WHERE runs.id = ?1 ORDER BY compiles.id",
            )?;
            let mut rows = statement.query([run.as_str()])?;
            let mut compiles: HashMap<_, Vec<_>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let Json(record) = row.get(1)?;
                compiles.entry(AttemptId(row.get(0)?)).or_default().push(record);
            }
            Ok(compiles)
        })
    }
}

/// The compiles that a query about a package finds.
fn records(
    transaction: &Transaction<'_>,
    package: &PackageName,
    query: &str,
) -> Result<Vec<Value>, Stop> {
    let mut statement = transaction.prepare_cached(query)?;
    let records = statement.query_map([Text(package)], |row| {
        let Json(record) = row.get(0)?;
        Ok(record)
    })?;
    Ok(records.collect::<Result<_, _>>()?)
}

/// Removes the compiles of all but the newest attempts at the package of this one that have any.
fn forget(transaction: &Transaction<'_>, attempt: AttemptId) -> Result<(), Stop> {
    transaction
        .prepare_cached(
            "WITH known AS (
                 SELECT id FROM attempts
                 WHERE package = (SELECT package FROM attempts WHERE id = ?1)
                     AND EXISTS (SELECT 1 FROM compiles WHERE attempt = attempts.id)
                 ORDER BY id DESC LIMIT -1 OFFSET ?2)
             DELETE FROM compiles WHERE attempt IN (SELECT id FROM known)",
        )?
        .execute(params![attempt.0, KEPT])?;
    Ok(())
}
