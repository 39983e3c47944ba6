//! `wheelmill runs ls`.

use std::num::NonZeroUsize;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use wheelmill_store::RunSummary;

use super::state;
use crate::error::{CliError, Ending};
use crate::output::{Field, Table, human, style};
use crate::settings::Session;

/// List the newest runs
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many [default: 20]
    #[arg(long, short = 'n', value_name = "N", value_parser = limit)]
    pub(super) limit: Option<NonZeroUsize>,
}

const LIMIT: usize = 20;

fn limit(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number of runs: write 1 or more"))
}

/// Prints them, newest first.
pub(super) fn list(args: &ListArgs, session: &Session) -> Result<Ending, CliError> {
    let runs = match session.store()? {
        Some(store) => store.runs(args.limit.map_or(LIMIT, NonZeroUsize::get))?,
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
        let (word, style) = state::run(run.outcome);
        table.row([
            Field::styled(run.id.as_str(), style::strong()),
            Field::plain(human::ago(run.started_at, now)),
            Field::styled(word, style),
            Field::plain(state::time(run, now).as_deref().unwrap_or("-")),
            Field::plain(cells(run)),
            Field::styled(human::command(&run.command_line), style::dim()),
        ]);
    }
    table.render()
}

/// `2 built, 1 failed`.
fn cells(run: &RunSummary) -> String {
    let counts = run.cells;
    let named = [
        (counts.running, "running"),
        (counts.built, "built"),
        (counts.stored, "stored"),
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
