//! Runs whose process died, and runs whose process can be told to stop.

use std::io;

use camino::Utf8Path;
use fs_err::File;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use wheelmill_model::RunId;

use super::write::end_run;
use crate::columns::{Bytes, Moment};
use crate::database::Durability;
use crate::{Outcome, Owner, RunOutcome, Store, StoreError, files};

impl Store {
    /// Marks the runs of dead processes as interrupted, with the moment of their last sign of life,
    /// in the history or in a log; returns them, oldest first. To be called before the history is shown.
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
        let dead: Vec<_> = dead
            .into_iter()
            .map(|(sequence, run)| (sequence, last_line(&self.layout.logs(&run)), run))
            .collect();
        self.database.write("settle dead runs", Durability::Power, |transaction| {
            let mut settled = Vec::new();
            for (sequence, last_line, run) in dead {
                // It may have finished in good order before its process went.
                if let Some(last) = last_sign_of_life(transaction, sequence)? {
                    let (outcome, left_over) = (RunOutcome::Interrupted, Outcome::Interrupted);
                    let last = last_line.map_or(last, |line| line.max(last));
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

/// When the newest log of a run was last written to, as far as its files tell.
fn last_line(logs: &Utf8Path) -> Option<Timestamp> {
    let cells = logs.read_dir_utf8().ok()?.flatten();
    let logs = cells.filter_map(|cell| cell.path().read_dir_utf8().ok()).flatten().flatten();
    let written = logs.filter_map(|log| log.metadata().ok()?.modified().ok());
    let last = written.filter_map(|moment| Timestamp::try_from(moment).ok()).max()?;
    Some(last.min(Timestamp::now()))
}

/// When a run last wrote into the history; None when it is over.
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
