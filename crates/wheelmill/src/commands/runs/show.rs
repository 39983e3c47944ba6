//! `wheelmill runs show`.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Deserialize as _;
use serde_json::{Value, json};
use wheelmill_mill::Failure;
use wheelmill_model::Digest;
use wheelmill_store::{AttemptDetail, RunDetail, Store, StoredWheel};
use wheelmill_wheel::NotChecked;

use super::compiles::RunCompiles;
use super::{events, state};
use crate::error::{CliError, Ending};
use crate::output::{Page, human, report, safe, style};
use crate::settings::Session;

/// Show one run: its cells, their phases and times, why they failed
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run, or the beginning of its identifier
    #[arg(default_value = "last")]
    run: String,

    /// Also write when each compile ran and what it took, for chrome://tracing or ui.perfetto.dev
    #[arg(long, value_name = "FILE.json")]
    trace: Option<Utf8PathBuf>,
}

/// Prints its page.
pub(super) fn show(args: &ShowArgs, session: &Session) -> Result<Ending, CliError> {
    let store = super::store_with_runs(session)?;
    let run = store.run(&args.run)?;
    let printer = session.printer;
    let wheels = stored_wheels(&store, &run)?;
    let compiles = RunCompiles::read(&store, &run)?;
    if let Some(file) = &args.trace {
        compiles.write_trace(file)?;
        printer.say(format_args!("wrote {}", safe(file.as_str())));
    }
    if printer.json {
        printer.document(json!({ "run": document(&run, &wheels, &compiles) }))?;
    } else {
        printer.page(&page(&run, &wheels, &compiles, printer.verbose, Timestamp::now()))?;
    }
    Ok(Ending::Done)
}

type Wheels = HashMap<Digest, StoredWheel>;

/// The wheels of a run, as far as they are still in the store.
fn stored_wheels(store: &Store, run: &RunDetail) -> Result<Wheels, CliError> {
    let mut wheels = HashMap::new();
    for digest in run.attempts.iter().filter_map(|attempt| attempt.wheel) {
        let found = store.find_wheels(&digest.to_string())?;
        wheels.extend(found.into_iter().map(|wheel| (digest, wheel)));
    }
    Ok(wheels)
}

/// What could not be checked about the wheel of an attempt: by the verdict that it came to, else by
/// that of the wheel that was in the store.
fn not_checked(attempt: &AttemptDetail, wheels: &Wheels) -> Vec<NotChecked> {
    let own = attempt.events.iter().rfind(|event| event.kind == "verdict");
    let stored = attempt.wheel.and_then(|digest| wheels.get(&digest));
    let verdict = own.map(|event| &event.detail).or_else(|| Some(&stored?.verdict));
    verdict.map(wheelmill_mill::not_checked).unwrap_or_default()
}

/// The run as it is kept, with what was not checked and the dearest compiles beside each attempt.
fn document(run: &RunDetail, wheels: &Wheels, compiles: &RunCompiles) -> Value {
    let mut document = json!(run);
    for (attempt, told) in
        run.attempts.iter().zip(document["attempts"].as_array_mut().into_iter().flatten())
    {
        told["not-checked"] = json!(not_checked(attempt, wheels));
        told["dearest-compiles"] = json!(compiles.dearest(attempt));
        if let Some(count) = compiles.cache(attempt) {
            told["compile-cache"] = json!(count);
        }
    }
    document
}

fn page(
    run: &RunDetail,
    wheels: &Wheels,
    compiles: &RunCompiles,
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
            Some(wheel) => wheel.path.to_string(),
            None => format!("{digest}, no longer in the store"),
        });
        let not_checked = not_checked(attempt, wheels);
        add_attempt(&mut page, attempt, &wheel.unwrap_or_default(), &not_checked, now);
        if let Some(count) = compiles.cache(attempt) {
            page.field("  ", WIDTH, "cache", count.to_string());
        }
        report::add_compiles(&mut page, "  ", &compiles.dearest(attempt));
        if events {
            events::add(&mut page, attempt);
        }
        add_cause(&mut page, attempt);
    }
    page.finish()
}

/// How far values stand from the beginnings of their names.
const WIDTH: usize = 12;

fn add_attempt(
    page: &mut Page,
    attempt: &AttemptDetail,
    wheel: &str,
    not_checked: &[NotChecked],
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
    if attempt.spec.get("network").is_some_and(|network| network == true) {
        field("network", "on while compiling");
    }
    field("peak memory", &attempt.peak_memory.map(|peak| peak.to_string()).unwrap_or_default());
    let steps = attempt.compiles.map(|count| format!("{count}, as the build counts them"));
    field("build steps", &steps.unwrap_or_default());
    field("wheel", wheel);
    for check in not_checked {
        field("not checked", &format!("{} ({})", check.what, check.why));
    }
    if attempt.number > 1 {
        field("attempt", &format!("number {} at this cell, over all runs", attempt.number));
    }
    field("log", attempt.log.as_str());
}

fn add_cause(page: &mut Page, attempt: &AttemptDetail) {
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
