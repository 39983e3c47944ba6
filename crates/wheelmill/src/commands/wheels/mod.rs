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
        let unknown = CliError::usage(format!("no wheel in the store is called `{text}`"));
        let near = near(store, text)?;
        return Err(match near.is_empty() {
            true => unknown.hint("see what there is: `wheelmill wheels ls`"),
            false => unknown.hint(format!("name one of these in full:{near}")),
        });
    }
    Ok(found)
}

/// The most names that a hint lists.
const NEAR: usize = 8;

/// The wheels whose cell's name the text is a part of, or whose file's name begins with it.
fn near(store: Option<&Store>, text: &str) -> Result<String, CliError> {
    let Some(store) = store else { return Ok(String::new()) };
    let text = text.to_lowercase();
    let wheels = store.wheels()?;
    let near = wheels.iter().filter(|wheel| {
        let (cell, file) = (wheel.cell.to_lowercase(), wheel.file_name.as_str().to_lowercase());
        cell.contains(&text) || file.starts_with(&text)
    });
    Ok(near.take(NEAR).map(line).collect())
}

/// A wheel as a candidate: its digest and its cell.
fn line(wheel: &StoredWheel) -> String {
    format!("\n{}  {}", wheel.digest.short(), wheel.cell)
}

/// The one wheel that a text names. What is several by cell may be one by content, and of several
/// of one cell the newest is meant: a source that lies in a folder changes.
pub(super) fn find_one(store: Option<&Store>, text: &str) -> Result<StoredWheel, CliError> {
    let mut candidates: Vec<StoredWheel> = Vec::new();
    // The newest of each package come first.
    for wheel in find(store, text)? {
        let same = |other: &StoredWheel| other.digest == wheel.digest || other.cell == wheel.cell;
        if !candidates.iter().any(same) {
            candidates.push(wheel);
        }
    }
    if let [_] = candidates[..] {
        return Ok(candidates.remove(0));
    }
    let lines: String = candidates.iter().map(line).collect();
    Err(CliError::usage(format!("`{text}` may be any of:{lines}")).hint(HOW_TO_NAME))
}
