//! `wheelmill runs ls`.

use clap::Args;
use jiff::Timestamp;
use owo_colors::Style;
use serde_json::json;
use wheelmill_store::{RunOutcome, RunSummary};

use crate::error::{CliError, Ending};
use crate::output::{Field, Table, human, style};
use crate::settings::Session;

/// List the newest runs
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
}

impl Default for ListArgs {
    fn default() -> Self {
        Self { limit: 20 }
    }
}

/// Prints them, newest first.
pub(super) fn list(args: &ListArgs, session: &Session) -> Result<Ending, CliError> {
    let runs = match session.store()? {
        Some(store) => store.runs(args.limit)?,
        None => Vec::new(),
    };
    let printer = session.printer;
    if printer.json {
        printer.document(json!({ "runs": runs }))?;
    } else if printer.quiet {
        printer.data(&runs.iter().map(|run| format!("{}\n", run.id)).collect::<String>())?;
    } else if runs.is_empty() {
        printer.say("no runs yet");
    } else {
        printer.data(&table(&runs, Timestamp::now()))?;
    }
    Ok(Ending::Done)
}

fn table(runs: &[RunSummary], now: Timestamp) -> String {
    let mut table = Table::new(["RUN", "?STARTED", "STATE", "?>TIME", "CELLS", "?COMMAND"]);
    for run in runs {
        let (word, style) = state(run.outcome);
        table.row([
            Field::styled(run.id.as_str(), style::strong()),
            Field::plain(human::ago(run.started_at, now)),
            Field::styled(word, style),
            Field::plain(human::duration(human::between(
                run.started_at,
                run.ended_at.unwrap_or(now),
            ))),
            Field::plain(cells(run)),
            Field::styled(human::command(&run.command_line), style::dim()),
        ]);
    }
    table.render()
}

/// The word for how a run stands, and its colour.
pub(super) const fn state(outcome: Option<RunOutcome>) -> (&'static str, Style) {
    match outcome {
        None => ("running", style::active()),
        Some(RunOutcome::Done) => (RunOutcome::Done.as_str(), style::good()),
        Some(RunOutcome::Failed) => (RunOutcome::Failed.as_str(), style::bad()),
        Some(outcome) => (outcome.as_str(), style::warning()),
    }
}

/// `2 built, 1 failed`.
pub(super) fn cells(run: &RunSummary) -> String {
    let counts = run.cells;
    let named = [
        (counts.running, "running"),
        (counts.built, "built"),
        (counts.cached, "stored"),
        (counts.failed, "failed"),
        (counts.impossible, "impossible"),
        (counts.cancelled, "cancelled"),
        (counts.interrupted, "interrupted"),
    ];
    let some: Vec<String> = named
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    some.join(", ")
}
