//! `wheelmill runs show`.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Deserialize as _;
use serde_json::json;
use wheelmill_mill::Failure;
use wheelmill_model::Digest;
use wheelmill_store::{AttemptDetail, RunDetail, Store};

use super::state;
use crate::error::{CliError, Ending};
use crate::output::{Page, human, report, safe, style};
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
        let wheels = wheel_paths(&store, &run)?;
        printer.page(&page(&run, &wheels, printer.verbose, Timestamp::now()))?;
    }
    Ok(Ending::Done)
}

/// Where the wheels of a run lie, as far as they are still in the store.
fn wheel_paths(store: &Store, run: &RunDetail) -> Result<HashMap<Digest, Utf8PathBuf>, CliError> {
    let mut paths = HashMap::new();
    for digest in run.attempts.iter().filter_map(|attempt| attempt.wheel) {
        let found = store.find_wheels(&digest.to_string())?;
        paths.extend(found.into_iter().map(|wheel| (digest, wheel.path)));
    }
    Ok(paths)
}

fn page(
    run: &RunDetail,
    wheels: &HashMap<Digest, Utf8PathBuf>,
    events: bool,
    now: Timestamp,
) -> String {
    let summary = &run.summary;
    let (word, word_style) = state::run(summary.outcome);
    let time = state::time(summary, now).map(|time| format!(" after {time}")).unwrap_or_default();
    let ago = human::ago(summary.started_at, now);
    let project = summary.project.as_deref().map(Utf8Path::as_str);
    let mut page = Page::new();
    page.line(format_args!(
        "run {}  {}{time}",
        safe(summary.id.as_str()).style(style::strong()),
        word.style(word_style)
    ));
    let mut field = |name: &str, value: &str| page.field("  ", WIDTH, name, value);
    field("started", &format!("{} ({ago})", human::moment(summary.started_at)));
    field("ended by", state::end(summary).unwrap_or_default());
    field("command", &human::command(&summary.command_line));
    field("project", project.unwrap_or_default());
    field("version", &summary.version);
    for attempt in &run.attempts {
        page.line("");
        let wheel = attempt.wheel.map(|digest| match wheels.get(&digest) {
            Some(path) => path.to_string(),
            None => format!("{digest}, no longer in the store"),
        });
        add_attempt(&mut page, attempt, &wheel.unwrap_or_default(), events, now);
    }
    page.finish()
}

/// How far values stand from the beginnings of their names.
const WIDTH: usize = 12;

fn add_attempt(
    page: &mut Page,
    attempt: &AttemptDetail,
    wheel: &str,
    events: bool,
    now: Timestamp,
) {
    let (word, word_style) = state::attempt(attempt.outcome);
    let cell = safe(&attempt.cell);
    page.line(format_args!("{}  {}", cell.style(style::strong()), word.style(word_style)));
    let mut field = |name: &str, value: &str| page.field("  ", WIDTH, name, value);
    for span in &attempt.phases {
        let time = human::duration(human::between(span.started_at, span.ended_at.unwrap_or(now)));
        let so_far = if span.ended_at.is_none() { " so far" } else { "" };
        field(span.phase.as_str(), &format!("{time}{so_far}"));
    }
    field("peak memory", &attempt.peak_memory.map(|peak| peak.to_string()).unwrap_or_default());
    let steps = attempt.compiles.map(|count| format!("{count}, as the build counts them"));
    field("build steps", &steps.unwrap_or_default());
    field("wheel", wheel);
    if attempt.number > 1 {
        field("attempt", &format!("number {} at this cell, over all runs", attempt.number));
    }
    field("log", attempt.log.as_str());
    if events {
        for event in &attempt.events {
            let at = human::duration(human::between(attempt.started_at, event.at));
            page.quote(&format!("{at:>8}  {}  {}", event.kind, event.detail));
        }
    }
    if let Some(cause) = &attempt.cause {
        match Failure::deserialize(cause) {
            // The log's path stands above.
            Ok(failure) => {
                report::add_failure(page, &attempt.cell, &Failure { log: None, ..failure });
            }
            // Written by another version: better raw than not at all.
            Err(_) => page.field("  ", WIDTH, "cause", cause.to_string()),
        }
    }
}
