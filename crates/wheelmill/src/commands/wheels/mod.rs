//! `wheelmill wheels`: what is in the store.

mod export;
mod list;
mod remove;
mod show;

use clap::{Args, Subcommand};
use wheelmill_store::{Store, StoredWheel};

use crate::error::{CliError, Ending};
use crate::settings::Session;

/// The wheels in the store
#[derive(Debug, Args)]
pub(crate) struct WheelsArgs {
    #[command(subcommand)]
    command: Option<WheelsCommand>,
}

#[derive(Debug, Subcommand)]
enum WheelsCommand {
    Ls(list::ListArgs),
    Show(show::ShowArgs),
    Where(show::WhereArgs),
    Export(export::ExportArgs),
    Rm(remove::RemoveArgs),
}

/// Does what was asked for; without a word, the list.
pub(crate) fn wheels(args: &WheelsArgs, session: &Session) -> Result<Ending, CliError> {
    match &args.command {
        None => list::list(&list::ListArgs::default(), session),
        Some(WheelsCommand::Ls(args)) => list::list(args, session),
        Some(WheelsCommand::Show(args)) => show::show(args, session),
        Some(WheelsCommand::Where(args)) => show::show_path(args, session),
        Some(WheelsCommand::Export(args)) => export::export(args, session),
        Some(WheelsCommand::Rm(args)) => remove::remove(args, session),
    }
}

const HOW_TO_NAME: &str = "name it by its cell, its file name or the beginning of its digest";

/// The wheels of the store that a text names: at least one.
fn find(store: Option<&Store>, text: &str) -> Result<Vec<StoredWheel>, CliError> {
    let found = match store {
        Some(store) => store.find_wheels(text)?,
        None => Vec::new(),
    };
    if found.is_empty() {
        return Err(CliError::usage(format!("no wheel in the store is called `{text}`"))
            .hint("see what there is: `wheelmill wheels ls`"));
    }
    Ok(found)
}

/// The one wheel that a text names. What is several by cell may be one by content.
fn find_one(store: Option<&Store>, text: &str) -> Result<StoredWheel, CliError> {
    let mut found = find(store, text)?;
    let first = found.swap_remove(0);
    let others: Vec<&StoredWheel> =
        found.iter().filter(|wheel| wheel.digest != first.digest).collect();
    if others.is_empty() {
        return Ok(first);
    }
    let candidates: Vec<String> = std::iter::once(&first)
        .chain(others)
        .map(|wheel| format!("\n{}  {}", wheel.digest.short(), wheel.cell))
        .collect();
    Err(CliError::usage(format!("`{text}` may be any of:{}", candidates.concat()))
        .hint(HOW_TO_NAME))
}
