//! One attempt at one cell, as the history and the caller see it: how it begins and how it ends.

use std::time::Instant;

use serde_json::json;
use wheelmill_model::RunId;
use wheelmill_store::{AttemptEnd, Outcome, StoredWheel};
use wheelmill_wheel::NotChecked;

use super::context::AttemptContext;
use super::failure::failure;
use super::log::{CellLog, LogNews};
use super::new_cell;
use super::work::{Done, Pinned, Stop, Work};
use crate::diagnose::Failure;
use crate::error::MillError;
use crate::event::{CellOutcome, CellResult, Event};
use crate::plan::PlannedCell;
use crate::unchecked::not_checked;

/// Tries a cell.
pub(super) fn attempt(
    context: &AttemptContext<'_>,
    run: &RunId,
    cell: &PlannedCell,
    pinned: Pinned,
) -> Result<CellResult, MillError> {
    let started = Instant::now();
    let begun = context.store.begin_attempt(run, &new_cell(cell))?;
    context.reporter.report(&Event::CellStarted {
        cell: cell.id.clone(),
        log: begun.log.clone(),
        expected: cell.expected,
    });
    let (reporter, id) = (context.reporter, cell.id.clone());
    let mut on_news = move |news: LogNews<'_>| {
        let cell = id.clone();
        reporter.report(&match news {
            LogNews::Line(line) => Event::Output { cell, line: line.to_owned() },
            LogNews::Progress(progress) => Event::Progress { cell, progress },
        });
    };
    let mut log = CellLog::create(&begun.log, &mut on_news)
        .map_err(|source| MillError::Files { path: begun.log.clone(), source })?;
    let mut work = Work::new(context, cell, Some((run, begun.id)));
    let done = work.run(pinned, &mut log);
    let end = end(done, &work, &mut log)?;
    context.store.finish_attempt(
        begun.id,
        &AttemptEnd {
            outcome: match end.outcome {
                CellOutcome::Built => Outcome::Built,
                CellOutcome::Stored => Outcome::Stored,
                CellOutcome::Cancelled => Outcome::Cancelled,
                CellOutcome::Failed | CellOutcome::Impossible => Outcome::Failed,
            },
            wheel: end.wheel.as_ref().map(|wheel| wheel.digest),
            cause: end.failure.as_ref().map(|failure| json!(failure)),
            exit_code: work.measured.exit_code,
            peak_memory: work.measured.peak,
            wall: Some(started.elapsed()),
            compiles: work.measured.compiles,
        },
    )?;
    Ok(CellResult {
        cell: cell.id.clone(),
        outcome: end.outcome,
        wheel: end.wheel,
        verdict: end.verdict,
        not_checked: end.not_checked,
        wall: started.elapsed(),
        peak_memory: work.measured.peak,
        failure: end.failure,
        log: Some(begun.log),
    })
}

struct End {
    outcome: CellOutcome,
    wheel: Option<StoredWheel>,
    verdict: Option<String>,
    not_checked: Vec<NotChecked>,
    failure: Option<Failure>,
}

fn end(done: Result<Done, Stop>, work: &Work<'_>, log: &mut CellLog<'_>) -> Result<End, MillError> {
    let none = End {
        outcome: CellOutcome::Cancelled,
        wheel: None,
        verdict: None,
        not_checked: Vec::new(),
        failure: None,
    };
    Ok(match done {
        Ok(Done::Built(wheel, verdict)) => End {
            outcome: CellOutcome::Built,
            wheel: Some(*wheel),
            verdict: Some(verdict.summary),
            not_checked: verdict.not_checked,
            failure: None,
        },
        Ok(Done::Stored(wheel)) => End {
            outcome: CellOutcome::Stored,
            not_checked: not_checked(&wheel.verdict),
            wheel: Some(*wheel),
            ..none
        },
        Err(Stop::Cell(error)) if error.is_cancelled() => none,
        Err(Stop::Cell(error)) => {
            let failure = failure(&error, work.evidence(), log);
            log.note(&format!("failed, {}: {}", failure.cause.as_str(), failure.message));
            End { outcome: CellOutcome::Failed, failure: Some(failure), ..none }
        }
        Err(Stop::Store(source)) => return Err(MillError::Store(*source)),
        Err(Stop::NotKept(wheel, source)) => return Err(MillError::NotKept { wheel, source }),
    })
}
