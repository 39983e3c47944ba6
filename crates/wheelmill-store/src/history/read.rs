//! Reading the history.

use std::collections::HashMap;

use camino::Utf8PathBuf;
use rusqlite::{OptionalExtension, Row, Transaction};
use wheelmill_model::{ByteSize, RunId};

use crate::columns::{Bytes, Json, Moment, Span, Text};
use crate::database::Stop;
use crate::{
    AttemptDetail, AttemptId, CellCounts, Event, PhaseSpan, RunDetail, RunOutcome, RunSummary,
    Store, StoreError,
};

/// How many runs an ambiguous beginning names.
const CANDIDATES: usize = 5;

const RUN_COLUMNS: &str = "
    runs.sequence, runs.id, command_line, project, version, started_at, ended_at, outcome,
    cancelled_by,
    (SELECT group_concat(coalesce(attempts.outcome, 'running'))
        FROM attempts WHERE attempts.run = runs.sequence)";

impl Store {
    /// The newest runs, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn runs(&self, limit: usize) -> Result<Vec<RunSummary>, StoreError> {
        self.database.read("list the runs", |transaction| {
            let mut statement = transaction.prepare_cached(&format!(
                "SELECT {RUN_COLUMNS} FROM runs ORDER BY sequence DESC LIMIT ?1"
            ))?;
            let runs = statement
                .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                    run_from_row(row).map(|(_, run)| run)
                })?
                .collect::<Result<_, _>>()?;
            Ok(runs)
        })
    }

    /// A run by its identifier, by a beginning that fits only one, or the newest as `last`.
    ///
    /// # Errors
    /// No run or more than one fits, or the database cannot be read.
    pub fn run(&self, text: &str) -> Result<RunDetail, StoreError> {
        self.database.read("look up a run", |transaction| {
            let (sequence, summary) = find_run(transaction, text)?;
            let mut attempts = self.attempts_of(transaction, &summary.id, sequence)?;
            let mut phases = phases_of(transaction, sequence)?;
            let mut events = events_of(transaction, sequence)?;
            for attempt in &mut attempts {
                attempt.phases = phases.remove(&attempt.id).unwrap_or_default();
                attempt.events = events.remove(&attempt.id).unwrap_or_default();
            }
            Ok(RunDetail { summary, attempts })
        })
    }

    fn attempts_of(
        &self,
        transaction: &Transaction<'_>,
        run: &RunId,
        sequence: i64,
    ) -> rusqlite::Result<Vec<AttemptDetail>> {
        let mut statement = transaction.prepare_cached(
            "SELECT id, cell, number, key, package, spec, started_at, ended_at, outcome, wheel,
                 cause, exit_code, peak_memory, wall, compiles
             FROM attempts WHERE run = ?1 ORDER BY id",
        )?;
        statement
            .query_map([sequence], |row| {
                let cell: String = row.get(1)?;
                let number = row.get(2)?;
                let Text(package) = row.get(4)?;
                let Json(spec) = row.get(5)?;
                let Moment(started_at) = row.get(6)?;
                Ok(AttemptDetail {
                    id: AttemptId(row.get(0)?),
                    number,
                    key: row.get::<_, Option<_>>(3)?.map(|Text(key)| key),
                    package,
                    spec,
                    started_at,
                    ended_at: row.get::<_, Option<_>>(7)?.map(|Moment(at)| at),
                    outcome: row.get::<_, Option<_>>(8)?.map(|Text(outcome)| outcome),
                    wheel: row.get::<_, Option<_>>(9)?.map(|Text(digest)| digest),
                    cause: row.get::<_, Option<_>>(10)?.map(|Json(cause)| cause),
                    exit_code: row.get(11)?,
                    peak_memory: row.get::<_, Option<_>>(12)?.map(|Bytes(size)| ByteSize(size)),
                    wall: row.get::<_, Option<_>>(13)?.map(|Span(wall)| wall),
                    compiles: row.get(14)?,
                    log: self.log_path(run, &cell, number),
                    cell,
                    phases: Vec::new(),
                    events: Vec::new(),
                })
            })?
            .collect()
    }
}

fn find_run(transaction: &Transaction<'_>, text: &str) -> Result<(i64, RunSummary), Stop> {
    let newest = format!("SELECT {RUN_COLUMNS} FROM runs ORDER BY sequence DESC LIMIT 1");
    let unknown = || StoreError::NoSuchRun { text: text.to_owned() };
    if text == "last" {
        let found = transaction.prepare_cached(&newest)?.query_row([], run_from_row).optional()?;
        return Ok(found.ok_or_else(unknown)?);
    }
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {RUN_COLUMNS} FROM runs WHERE substr(id, 1, length(?1)) = ?1
         ORDER BY id = ?1 DESC, sequence DESC LIMIT ?2"
    ))?;
    let mut found = statement
        .query_map((text, CANDIDATES as i64), run_from_row)?
        .collect::<Result<Vec<_>, _>>()?;
    if text.is_empty() || found.is_empty() {
        return Err(unknown().into());
    }
    if found.len() > 1 && found[0].1.id.as_str() != text {
        let candidates = found.iter().map(|(_, run)| run.id.to_string()).collect();
        return Err(StoreError::AmbiguousRun { text: text.to_owned(), candidates }.into());
    }
    Ok(found.swap_remove(0))
}

fn run_from_row(row: &Row<'_>) -> rusqlite::Result<(i64, RunSummary)> {
    let Json(command_line) = row.get(2)?;
    let words = command_line.as_array().into_iter().flatten();
    let Moment(started_at) = row.get(5)?;
    let outcome = row.get::<_, Option<_>>(7)?.map(|Text(outcome)| outcome);
    let cancelled_by = row.get::<_, Option<_>>(8)?.map(|Text(by)| by);
    let outcomes: Option<String> = row.get(9)?;
    let summary = RunSummary {
        id: RunId::from_text(row.get::<_, String>(1)?),
        command_line: words.filter_map(|word| word.as_str().map(str::to_owned)).collect(),
        project: row.get::<_, Option<String>>(3)?.map(Utf8PathBuf::from),
        version: row.get(4)?,
        started_at,
        ended_at: row.get::<_, Option<_>>(6)?.map(|Moment(at)| at),
        outcome,
        // A run that was over before the wish reached it was not stopped by it.
        cancelled_by: cancelled_by.filter(|_| outcome == Some(RunOutcome::Cancelled)),
        cells: count(outcomes.as_deref().unwrap_or_default()),
    };
    Ok((row.get(0)?, summary))
}

/// Counts the outcomes in a list of their words.
fn count(outcomes: &str) -> CellCounts {
    let mut counts = CellCounts::default();
    for word in outcomes.split(',').filter(|word| !word.is_empty()) {
        counts.total += 1;
        let counter = match word {
            "built" => &mut counts.built,
            "stored" | "cached" => &mut counts.stored,
            "failed" => &mut counts.failed,
            "cancelled" => &mut counts.cancelled,
            "impossible" => &mut counts.impossible,
            "interrupted" => &mut counts.interrupted,
            _ => &mut counts.running,
        };
        *counter += 1;
    }
    counts
}

fn phases_of(
    transaction: &Transaction<'_>,
    run: i64,
) -> rusqlite::Result<HashMap<AttemptId, Vec<PhaseSpan>>> {
    let mut statement = transaction.prepare_cached(
        "SELECT attempt, phase, phases.started_at, phases.ended_at
         FROM phases JOIN attempts ON attempts.id = phases.attempt
         WHERE attempts.run = ?1 ORDER BY phases.id",
    )?;
    let mut rows = statement.query([run])?;
    let mut phases: HashMap<_, Vec<_>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let Text(phase) = row.get(1)?;
        let Moment(started_at) = row.get(2)?;
        let ended_at = row.get::<_, Option<_>>(3)?.map(|Moment(at)| at);
        let span = PhaseSpan { phase, started_at, ended_at };
        phases.entry(AttemptId(row.get(0)?)).or_default().push(span);
    }
    Ok(phases)
}

fn events_of(
    transaction: &Transaction<'_>,
    run: i64,
) -> rusqlite::Result<HashMap<AttemptId, Vec<Event>>> {
    let mut statement = transaction.prepare_cached(
        "SELECT attempt, at, kind, detail
         FROM events JOIN attempts ON attempts.id = events.attempt
         WHERE attempts.run = ?1 ORDER BY events.id",
    )?;
    let mut rows = statement.query([run])?;
    let mut events: HashMap<_, Vec<_>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let Moment(at) = row.get(1)?;
        let Json(detail) = row.get(3)?;
        let event = Event { at, kind: row.get(2)?, detail };
        events.entry(AttemptId(row.get(0)?)).or_default().push(event);
    }
    Ok(events)
}
