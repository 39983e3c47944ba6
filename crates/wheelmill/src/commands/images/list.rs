//! `wheelmill images ls`.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use wheelmill_mill::{CleanItem, CleanKind, CleanState};
use wheelmill_model::ByteSize;

use crate::commands::cells::{EngineArg, engine_parser};
use crate::commands::clean;
use crate::error::{CliError, Ending};
use crate::output::{Field, Table, human, safe, style};
use crate::settings::Session;

/// List the layers and images that wheelmill has made
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Whose images are looked at: `docker`, `podman`, `embedded` for none, `auto` for both
    /// [env: WHEELMILL_ENGINE] [default: auto]
    #[arg(long, value_parser = engine_parser(), hide_possible_values = true)]
    engine: Option<EngineArg>,
}

/// Prints them, the last used first.
pub(super) fn list(args: &ListArgs, session: &Session) -> Result<Ending, CliError> {
    let mut survey = clean::cleaner(args.engine, session)?.images()?;
    clean::warn(&survey, session);
    survey.items.sort_by_key(|item| std::cmp::Reverse(item.last_used));
    let printer = session.printer;
    if printer.json {
        let (images, not_looked_at) = (&survey.items, &survey.not_looked_at);
        printer.document(json!({ "images": images, "not-looked-at": not_looked_at }))?;
    } else if printer.quiet {
        let places = survey.items.iter().map(|item| format!("{}\n", safe(&item.place)));
        printer.data(&places.collect::<String>())?;
    } else if survey.items.is_empty() {
        printer.say("no layers or images yet");
    } else {
        printer.data(&table(&survey.items, Timestamp::now()))?;
        printer.say(format_args!("{} in all", survey.spare()));
    }
    Ok(Ending::Done)
}

fn table(items: &[CleanItem], now: Timestamp) -> String {
    let mut table = Table::new(["?KIND", "ENGINE", ">SIZE", "LAST USED", "ID", "WHAT"]);
    for item in items {
        let kind = match item.kind {
            CleanKind::Layer => "layer",
            CleanKind::Image => "image",
            _ => "base",
        };
        let used = if item.state == CleanState::InUse { "; in use" } else { "" };
        let engine = item.engine.map(|engine| engine.to_string()).unwrap_or_default();
        table.row([
            Field::plain(kind),
            Field::plain(engine),
            Field::plain(ByteSize(item.size_bytes).to_string()),
            Field::plain(item.last_used.map(|used| human::ago(used, now)).unwrap_or_default()),
            Field::styled(short(&item.place), style::dim()),
            Field::plain(format!("{}{used}", item.what)),
        ]);
    }
    table.render()
}

/// The beginning of a layer's key, or of an image's tag.
fn short(place: &str) -> String {
    let name = place.rsplit(['/', ':']).next().unwrap_or(place);
    name.chars().take(12).collect()
}
