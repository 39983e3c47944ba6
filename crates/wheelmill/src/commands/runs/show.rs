//! `wheelmill runs show`.

use clap::Args;
use jiff::Timestamp;
use owo_colors::{OwoColorize as _, Style};
use serde::Deserialize as _;
use serde_json::json;
use wheelmill_mill::Failure;
use wheelmill_store::{AttemptDetail, Outcome, RunDetail};

use super::list::state;
use crate::error::{CliError, Ending};
use crate::output::{human, report, safe, style};
use crate::settings::Session;

/// Show one run: its cells, their phases and times, why they failed
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run, or the beginning of its identifier
    #[arg(default_value = "last")]
    run: String,
}

/// Prints its page.
pub(super) fn show(args: &ShowArgs, session: &Session) -> Result<Ending, CliError> {
    let store = super::store_with_runs(session)?;
    let run = store.run(&args.run)?;
    let printer = session.printer;
    if printer.json {
        printer.document(json!({ "run": run }))?;
    } else {
        printer.data(&page(&run, printer.verbose, Timestamp::now()))?;
    }
    Ok(Ending::Done)
}

fn page(run: &RunDetail, events: bool, now: Timestamp) -> String {
    let summary = &run.summary;
    let (word, style) = state(summary.outcome);
    let time = human::between(summary.started_at, summary.ended_at.unwrap_or(now));
    let mut page = String::new();
    line(&mut page, "run", &summary.id.to_string().style(style::strong()).to_string());
    line(&mut page, "state", &format!("{} after {}", word.style(style), human::duration(time)));
    let ago = human::ago(summary.started_at, now);
    line(&mut page, "started", &format!("{} ({ago})", human::moment(summary.started_at)));
    line(&mut page, "command", &safe(&human::command(&summary.command_line)));
    if let Some(project) = &summary.project {
        line(&mut page, "project", &safe(project.as_str()));
    }
    line(&mut page, "version", &safe(&summary.version));
    for attempt in &run.attempts {
        page.push('\n');
        show_attempt(&mut page, attempt, events, now);
    }
    page
}

fn show_attempt(page: &mut String, attempt: &AttemptDetail, events: bool, now: Timestamp) {
    let (word, style) = outcome(attempt.outcome);
    page.push_str(&format!(
        "{}  {}\n",
        safe(&attempt.cell).style(style::strong()),
        word.style(style)
    ));
    for span in &attempt.phases {
        let time = human::between(span.started_at, span.ended_at.unwrap_or(now));
        let running = if span.ended_at.is_none() { " so far" } else { "" };
        page.push_str(&format!(
            "  {:<12} {:>8}{running}\n",
            span.phase.to_string(),
            human::duration(time)
        ));
    }
    if let Some(peak) = attempt.peak_memory {
        line(page, "  peak memory", &peak.to_string());
    }
    if let Some(compiles) = attempt.compiles {
        line(page, "  compiles", &compiles.to_string());
    }
    if let Some(wheel) = attempt.wheel {
        line(page, "  wheel", &wheel.to_string());
    }
    if attempt.number > 1 {
        line(page, "  attempt", &attempt.number.to_string());
    }
    line(page, "  log", &safe(attempt.log.as_str()));
    if events {
        for event in &attempt.events {
            let at = human::duration(human::between(attempt.started_at, event.at));
            page.push_str(&format!(
                "  {at:>8}  {}  {}\n",
                safe(&event.kind),
                safe(&event.detail.to_string()).style(style::dim())
            ));
        }
    }
    if let Some(cause) = &attempt.cause {
        match Failure::deserialize(cause) {
            Ok(failure) => {
                // The log's path stands above.
                let failure = Failure { log: None, ..failure };
                page.push_str(&report::failure(&attempt.cell, &failure));
            }
            // Written by another version: better raw than not at all.
            Err(_) => line(page, "  cause", &safe(&cause.to_string())),
        }
    }
}

fn outcome(outcome: Option<Outcome>) -> (&'static str, Style) {
    match outcome {
        None => ("running", style::active()),
        Some(Outcome::Built) => ("built", style::good()),
        Some(Outcome::Cached) => ("stored", style::good()),
        Some(Outcome::Failed) => ("failed", style::bad()),
        Some(outcome) => (outcome.as_str(), style::warning()),
    }
}

fn line(page: &mut String, name: &str, value: &str) {
    page.push_str(&format!("{name:<14} {value}\n"));
}
