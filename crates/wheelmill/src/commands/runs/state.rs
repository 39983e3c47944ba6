//! How runs and their attempts stand, in words.

use jiff::Timestamp;
use owo_colors::Style;
use wheelmill_store::{CancelledBy, Outcome, RunOutcome, RunSummary};

use crate::output::{human, style};

/// The word for how a run stands, and its colour.
pub(super) const fn run(outcome: Option<RunOutcome>) -> (&'static str, Style) {
    match outcome {
        None => ("running", style::active()),
        Some(RunOutcome::Done) => (RunOutcome::Done.as_str(), style::good()),
        Some(RunOutcome::Failed) => (RunOutcome::Failed.as_str(), style::bad()),
        Some(outcome) => (outcome.as_str(), style::warning()),
    }
}

/// The word for how an attempt stands, and its colour.
pub(super) const fn attempt(outcome: Option<Outcome>) -> (&'static str, Style) {
    match outcome {
        None => ("running", style::active()),
        Some(Outcome::Built) => (Outcome::Built.as_str(), style::good()),
        Some(Outcome::Stored) => (Outcome::Stored.as_str(), style::good()),
        Some(Outcome::Failed) => (Outcome::Failed.as_str(), style::bad()),
        Some(outcome) => (outcome.as_str(), style::warning()),
    }
}

/// How long a run took, or takes already. Of a killed one only the last sign of life is known; none
/// where that is its beginning.
pub(super) fn time(run: &RunSummary, now: Timestamp) -> Option<String> {
    let time = human::between(run.started_at, run.ended_at.unwrap_or(now));
    match run.outcome {
        Some(RunOutcome::Interrupted) if time.as_millis() < 50 => None,
        _ => Some(human::duration(time)),
    }
}

/// What ended a run that did not come to its own end.
pub(super) const fn end(run: &RunSummary) -> Option<&'static str> {
    match (run.outcome, run.cancelled_by) {
        (_, Some(CancelledBy::Interrupt)) => Some("Ctrl-C (SIGINT)"),
        (_, Some(CancelledBy::Terminate)) => Some("SIGTERM, from outside"),
        (_, Some(CancelledBy::RunsCancel)) => Some("`wheelmill runs cancel`"),
        (Some(RunOutcome::Interrupted), None) => {
            Some("the death of its process; the times are those of its last sign of life")
        }
        _ => None,
    }
}
