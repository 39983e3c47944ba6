//! One attempt at one cell, as the history and the caller see it: how it begins and how it ends.

use std::time::Instant;

use serde_json::json;
use wheelmill_model::{Phase, RunId};
use wheelmill_store::{AttemptEnd, Outcome, StoredWheel};
use wheelmill_wheel::NotChecked;

use super::context::AttemptContext;
use super::course::Course;
use super::image::ImageWork;
use super::job::{Done, Job, Stop};
use super::log::{CellLog, LogNews};
use super::work::{Pinned, Work};
use super::workshop::new_cell;
use crate::diagnose::Failure;
use crate::error::MillError;
use crate::event::{CellOutcome, CellResult, Event};
use crate::plan::{CellKind, PlannedCell};
use crate::unchecked::not_checked;

/// Tries a cell.
pub(super) fn attempt(
    context: &AttemptContext<'_>,
    run: &RunId,
    cell: &PlannedCell,
    pinned: Option<Pinned>,
) -> Result<CellResult, MillError> {
    let started = Instant::now();
    let begun = context.store.begin_attempt(run, &new_cell(cell))?;
    context.reporter.report(&Event::CellStarted {
        cell: cell.id.clone(),
        log: begun.log.clone(),
        expected: cell.expected,
    });
    let reporter = context.reporter;
    let mut on_news = |news: LogNews<'_>| reporter.report(&news.of(&cell.id));
    let mut log = CellLog::create(&begun.log, &mut on_news)
        .map_err(|source| MillError::Files { path: begun.log.clone(), source })?;
    let phase = Phase::Preflight;
    let course = Course { context, history: Some((run, begun.id)), cell: &cell.id, phase };
    let mut job: Box<dyn Job + '_> = match &cell.kind {
        CellKind::Recipe(cell) => {
            let pinned = pinned.expect("the source of a recipe is pinned before it is built");
            Box::new(Work::new(course, cell, pinned))
        }
        CellKind::Image(cell) => Box::new(ImageWork::new(course, cell)),
    };
    let done = job.run(&mut log);
    let end = end(done, &*job, &mut log)?;
    let measured = job.measured();
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
            exit_code: measured.exit_code,
            peak_memory: measured.peak,
            wall: Some(started.elapsed()),
            compiles: measured.compiles,
        },
    )?;
    Ok(CellResult {
        cell: cell.id.clone(),
        outcome: end.outcome,
        wheel: end.wheel,
        more_wheels: end.more_wheels,
        verdict: end.verdict,
        not_checked: end.not_checked,
        wall: started.elapsed(),
        peak_memory: measured.peak,
        compile_cache: measured.cache,
        dearest_compiles: measured.dearest.clone(),
        failure: end.failure,
        log: Some(begun.log),
    })
}

struct End {
    wheel: Option<StoredWheel>,
    more_wheels: Vec<StoredWheel>,
    verdict: Option<String>,
    not_checked: Vec<NotChecked>,
    failure: Option<Failure>,
    outcome: CellOutcome,
}

impl End {
    const CANCELLED: Self = Self {
        outcome: CellOutcome::Cancelled,
        wheel: None,
        more_wheels: Vec::new(),
        verdict: None,
        not_checked: Vec::new(),
        failure: None,
    };
}

fn end(done: Result<Done, Stop>, job: &dyn Job, log: &mut CellLog<'_>) -> Result<End, MillError> {
    Ok(match done {
        Ok(Done::Built(kept, judged)) => End {
            outcome: CellOutcome::Built,
            wheel: Some(*kept.first),
            more_wheels: kept.more,
            verdict: Some(judged.summary),
            not_checked: judged.not_checked,
            failure: None,
        },
        Ok(Done::Stored(kept)) => End {
            outcome: CellOutcome::Stored,
            not_checked: not_checked(&kept.first.verdict),
            wheel: Some(*kept.first),
            more_wheels: kept.more,
            ..End::CANCELLED
        },
        Err(Stop::Cell(error)) if error.is_cancelled() => End::CANCELLED,
        Err(Stop::Cell(error)) => {
            let failure = job.failure(&error, log);
            log.note(&format!("failed, {}: {}", failure.cause.as_str(), failure.message));
            End { outcome: CellOutcome::Failed, failure: Some(failure), ..End::CANCELLED }
        }
        Err(Stop::Store(source)) => return Err(MillError::Store(*source)),
        Err(Stop::NotKept(wheel, source)) => return Err(MillError::NotKept { wheel, source }),
    })
}
