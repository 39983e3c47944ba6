//! Runs whose process died, and runs whose process can be told to stop.

use std::io;

use fs_err::File;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use wheelmill_model::RunId;

use super::write::end_run;
use crate::columns::{Bytes, Moment};
use crate::database::Durability;
use crate::{Outcome, Owner, RunOutcome, Store, StoreError, files};

impl Store {
    /// Marks the runs of dead processes as interrupted, with the moment of their last sign of life;
    /// returns them, oldest first. To be called before the history is shown.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub fn settle_dead_runs(&self) -> Result<Vec<RunId>, StoreError> {
        let open = self.database.read("look for dead runs", |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT sequence, id FROM runs WHERE outcome IS NULL ORDER BY sequence",
            )?;
            let open = statement
                .query_map([], |row| Ok((row.get(0)?, RunId::from_text(row.get::<_, String>(1)?))))?
                .collect::<Result<Vec<(i64, RunId)>, _>>()?;
            Ok(open)
        })?;
        let dead: Vec<_> = open.into_iter().filter(|(_, run)| !self.is_alive(run)).collect();
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        self.database.write("settle dead runs", Durability::Power, |transaction| {
            let mut settled = Vec::new();
            for (sequence, run) in dead {
                // It may have finished in good order before its process went.
                if let Some(last) = last_sign_of_life(transaction, sequence)? {
                    let (outcome, left_over) = (RunOutcome::Interrupted, Outcome::Interrupted);
                    end_run(transaction, sequence, outcome, left_over, last)?;
                    settled.push(run);
                }
            }
            Ok(settled)
        })
    }

    /// The process of a run, to be told to stop. None when the run is over or its process is gone.
    ///
    /// # Errors
    /// There is no such run, its process cannot be seen from here, or the database cannot be read.
    pub fn owner_of(&self, run: &RunId) -> Result<Option<Owner>, StoreError> {
        let found = self.database.read("look up a run", |transaction| {
            let found = transaction
                .prepare_cached(
                    "SELECT pid, process_started, boot, outcome IS NULL FROM runs WHERE id = ?1",
                )?
                .query_row([run.as_str()], |row| {
                    let Bytes(process_started) = row.get(1)?;
                    let owner = Owner { pid: row.get(0)?, process_started, boot: row.get(2)? };
                    Ok((owner, row.get::<_, bool>(3)?))
                })
                .optional()?;
            Ok(found.ok_or_else(|| StoreError::NoSuchRun { text: run.to_string() })?)
        })?;
        match found {
            (owner, true) if self.is_alive(run) => {
                if owner.is_visible() {
                    Ok(Some(owner))
                } else {
                    Err(StoreError::OwnerElsewhere { run: run.clone(), pid: owner.pid })
                }
            }
            _ => Ok(None),
        }
    }

    fn is_alive(&self, run: &RunId) -> bool {
        match File::open(self.layout.owner(run)) {
            Ok(file) => !files::is_abandoned(&file),
            // In doubt it lives; without its file nobody is left who could hold it.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// When a run last wrote something; None when it is over.
fn last_sign_of_life(
    transaction: &Transaction<'_>,
    sequence: i64,
) -> rusqlite::Result<Option<Timestamp>> {
    let last: Option<Moment> = transaction
        .prepare_cached(
            "SELECT max(
                 runs.started_at,
                 coalesce(max(attempts.started_at), 0),
                 coalesce(max(attempts.ended_at), 0),
                 coalesce(max((SELECT max(started_at) FROM phases WHERE attempt = attempts.id)), 0),
                 coalesce(max((SELECT max(at) FROM events WHERE attempt = attempts.id)), 0))
             FROM runs LEFT JOIN attempts ON attempts.run = runs.sequence
             WHERE runs.sequence = ?1 AND runs.outcome IS NULL GROUP BY runs.sequence",
        )?
        .query_row(params![sequence], |row| row.get(0))
        .optional()?;
    Ok(last.map(|Moment(last)| last))
}
