//! Writing the history, each step before it is taken.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

use fs_err::File;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;
use wheelmill_model::{CellKey, Phase, RunId};

use crate::columns::{Bytes, Moment, Span, Text};
use crate::database::{Durability, Stop};
use crate::{
    Attempt, AttemptEnd, AttemptId, CancelledBy, NewCell, NewRun, Outcome, RunOutcome, Store,
    StoreError, files,
};

impl Store {
    /// Begins a run. It counts as alive until it is finished, this store is dropped, or this
    /// process dies. Settles the runs of dead processes first.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn begin_run(&self, new: &NewRun) -> Result<RunId, StoreError> {
        self.settle_dead_runs()?;
        let started_at = Timestamp::now();
        let (run, owner) = self.claim_run(started_at)?;
        let command_line = Value::from(new.command_line.clone()).to_string();
        // Kept from before the row is visible, so that nobody ever sees the run without its owner.
        self.database.write("begin a run", Durability::Power, |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO runs (id, command_line, project, version, pid, process_started,
                         boot, started_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    run.as_str(),
                    command_line,
                    new.project.as_ref().map(|path| path.as_str()),
                    new.version,
                    new.owner.pid,
                    Bytes(new.owner.process_started),
                    new.owner.boot,
                    Moment(started_at),
                ])?;
            Ok(())
        })?;
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).insert(run.clone(), owner);
        Ok(run)
    }

    /// Finds a free identifier and locks the file that says its run is alive.
    fn claim_run(&self, now: Timestamp) -> Result<(RunId, File), StoreError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        files::create_folder(&self.layout.all_logs())?;
        loop {
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            let run = RunId::new(now, std::process::id().wrapping_add(count));
            // Who creates the folder has the identifier.
            let folder = self.layout.logs(&run);
            match fs_err::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created.map_err(|source| StoreError::file("create", &folder, source))?,
            }
            let path = self.layout.owner(&run);
            let owner = File::create_new(&path)
                .and_then(|owner| files::lock(&owner).map(|()| owner))
                .map_err(|source| StoreError::file("create", &path, source))?;
            return Ok((run, owner));
        }
    }

    /// Begins an attempt at a cell, and creates the folder for its log.
    ///
    /// # Errors
    /// There is no such run, or the store cannot be written.
    pub fn begin_attempt(&self, run: &RunId, cell: &NewCell) -> Result<Attempt, StoreError> {
        let (id, number) =
            self.database.write("begin an attempt", Durability::Power, |transaction| {
                let sequence = sequence_of(transaction, run)?;
                let number: u32 = transaction
                    .prepare_cached(
                        "SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE cell = ?1",
                    )?
                    .query_row([&cell.id], |row| row.get(0))?;
                transaction
                    .prepare_cached(
                        "INSERT INTO attempts (run, cell, number, key, package, spec, started_at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        sequence,
                        cell.id,
                        number,
                        cell.key.map(Text),
                        Text(&cell.package),
                        cell.spec.to_string(),
                        Moment(Timestamp::now()),
                    ])?;
                Ok((AttemptId(transaction.last_insert_rowid()), number))
            })?;
        let log = self.log_path(run, &cell.id, number);
        if let Some(folder) = log.parent() {
            files::create_folder(folder)?;
        }
        Ok(Attempt { id, number, log })
    }

    /// Notes the key of an attempt's cell, once it is known.
    ///
    /// # Errors
    /// There is no such attempt, or the store cannot be written.
    pub fn set_key(&self, attempt: AttemptId, key: &CellKey) -> Result<(), StoreError> {
        self.database.write("note a cell's key", Durability::Power, |transaction| {
            let changed = transaction
                .prepare_cached("UPDATE attempts SET key = ?2 WHERE id = ?1")?
                .execute(params![attempt.0, Text(key)])?;
            known(attempt, changed)
        })
    }

    /// Notes that a phase begins, and with it that the one before has ended. On disk when it
    /// returns.
    ///
    /// # Errors
    /// There is no such attempt, or the store cannot be written.
    pub fn begin_phase(&self, attempt: AttemptId, phase: Phase) -> Result<(), StoreError> {
        self.database.write("begin a phase", Durability::Power, |transaction| {
            let now = Timestamp::now();
            check_attempt(transaction, attempt)?;
            end_phase(transaction, attempt, now)?;
            transaction
                .prepare_cached(
                    "INSERT INTO phases (attempt, phase, started_at) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![attempt.0, phase.as_str(), Moment(now)])?;
            Ok(())
        })
    }

    /// Notes something that happened. Survives the death of this process, not the loss of power
    /// until the next step of the history is written: cheap enough to be called often.
    ///
    /// # Errors
    /// There is no such attempt, or the store cannot be written.
    pub fn record(&self, attempt: AttemptId, kind: &str, detail: &Value) -> Result<(), StoreError> {
        self.database.write("record an event", Durability::Process, |transaction| {
            check_attempt(transaction, attempt)?;
            transaction
                .prepare_cached(
                    "INSERT INTO events (attempt, at, kind, detail) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![attempt.0, Moment(Timestamp::now()), kind, detail.to_string()])?;
            Ok(())
        })
    }

    /// Ends an attempt, and its last phase with it.
    ///
    /// # Errors
    /// There is no such attempt, or the store cannot be written.
    pub fn finish_attempt(&self, attempt: AttemptId, end: &AttemptEnd) -> Result<(), StoreError> {
        self.database.write("finish an attempt", Durability::Power, |transaction| {
            let now = Timestamp::now();
            end_phase(transaction, attempt, now)?;
            let changed = transaction
                .prepare_cached(
                    "UPDATE attempts SET ended_at = ?2, outcome = ?3, wheel = ?4, cause = ?5,
                         exit_code = ?6, peak_memory = ?7, wall = coalesce(?8, ?2 - started_at),
                         compiles = ?9
                     WHERE id = ?1",
                )?
                .execute(params![
                    attempt.0,
                    Moment(now),
                    end.outcome.as_str(),
                    end.wheel.map(Text),
                    end.cause.as_ref().map(Value::to_string),
                    end.exit_code,
                    end.peak_memory.map(|size| Bytes(size.0)),
                    end.wall.map(Span),
                    end.compiles,
                ])?;
            known(attempt, changed)
        })
    }

    /// Notes who wants a run to stop. Who comes first is kept, but for `runs cancel`, which does its
    /// work by a signal that the run itself cannot tell from another one.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn note_cancelled_by(&self, run: &RunId, by: CancelledBy) -> Result<(), StoreError> {
        self.database.write("note who stops a run", Durability::Process, |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE runs SET cancelled_by = ?2
                     WHERE id = ?1 AND (cancelled_by IS NULL OR ?3)",
                )?
                .execute(params![run.as_str(), Text(by), by == CancelledBy::RunsCancel])?;
            Ok(())
        })
    }

    /// Ends a run. Attempts that were not finished end with it: cancelled when the run was,
    /// interrupted otherwise.
    ///
    /// # Errors
    /// There is no such run, or the store cannot be written.
    pub fn finish_run(&self, run: &RunId, outcome: RunOutcome) -> Result<(), StoreError> {
        self.database.write("finish a run", Durability::Power, |transaction| {
            let sequence = sequence_of(transaction, run)?;
            let left_over = match outcome {
                RunOutcome::Cancelled => Outcome::Cancelled,
                _ => Outcome::Interrupted,
            };
            end_run(transaction, sequence, outcome, left_over, Timestamp::now())?;
            Ok(())
        })?;
        let owner = self.alive.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        drop(owner);
        let path = self.layout.owner(run);
        if let Err(error) = fs_err::remove_file(&path) {
            tracing::debug!(%path, %error, "the owner's lock of a finished run stays behind");
        }
        Ok(())
    }
}

/// Ends a run and all of it that is still open.
pub(super) fn end_run(
    transaction: &Transaction<'_>,
    sequence: i64,
    outcome: RunOutcome,
    left_over: Outcome,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE phases SET ended_at = max(?2, started_at) WHERE ended_at IS NULL
                 AND attempt IN (SELECT id FROM attempts WHERE run = ?1 AND outcome IS NULL)",
        )?
        .execute(params![sequence, Moment(at)])?;
    transaction
        .prepare_cached(
            "UPDATE attempts SET outcome = ?3, ended_at = max(?2, started_at),
                 wall = max(?2 - started_at, 0)
             WHERE run = ?1 AND outcome IS NULL",
        )?
        .execute(params![sequence, Moment(at), left_over.as_str()])?;
    transaction
        .prepare_cached(
            "UPDATE runs SET outcome = ?3, ended_at = max(?2, started_at)
             WHERE sequence = ?1",
        )?
        .execute(params![sequence, Moment(at), outcome.as_str()])?;
    Ok(())
}

fn end_phase(
    transaction: &Transaction<'_>,
    attempt: AttemptId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE phases SET ended_at = ?2 WHERE attempt = ?1 AND ended_at IS NULL")?
        .execute(params![attempt.0, Moment(at)])?;
    Ok(())
}

fn sequence_of(transaction: &Transaction<'_>, run: &RunId) -> Result<i64, Stop> {
    let sequence = transaction
        .prepare_cached("SELECT sequence FROM runs WHERE id = ?1")?
        .query_row([run.as_str()], |row| row.get(0))
        .optional()?;
    Ok(sequence.ok_or_else(|| StoreError::NoSuchRun { text: run.to_string() })?)
}

pub(super) fn check_attempt(transaction: &Transaction<'_>, attempt: AttemptId) -> Result<(), Stop> {
    let rows: u32 = transaction
        .prepare_cached("SELECT count(*) FROM attempts WHERE id = ?1")?
        .query_row([attempt.0], |row| row.get(0))?;
    known(attempt, rows as usize)
}

const fn known(attempt: AttemptId, rows: usize) -> Result<(), Stop> {
    if rows == 0 { Err(Stop::Store(StoreError::NoSuchAttempt { attempt })) } else { Ok(()) }
}
