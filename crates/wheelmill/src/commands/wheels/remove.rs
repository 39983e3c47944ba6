//! `wheelmill wheels rm`.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;
use serde_json::json;
use wheelmill_model::ByteSize;
use wheelmill_store::StoredWheel;

use crate::error::{CliError, Ending};
use crate::output::{human, talk};
use crate::settings::Session;

/// Remove wheels from the store
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The wheels, each by a name that only it has: a cell, a file name, the beginning of a digest
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Removes all, or none when a name is wrong or the user says no.
pub(super) fn remove(args: &RemoveArgs, session: &Session) -> Result<Ending, CliError> {
    let store = session.store()?;
    let mut wheels: Vec<StoredWheel> = Vec::new();
    for name in &args.names {
        let wheel = super::find_one(store.as_ref(), name)?;
        if wheels.iter().all(|known| known.digest != wheel.digest) {
            wheels.push(wheel);
        }
    }
    if !args.yes && !confirm(&wheels)? {
        session.printer.say("nothing was removed");
        return Ok(Ending::Done);
    }
    for (wheel, store) in wheels.iter().zip(store.iter().cycle()) {
        store.remove_wheel(&wheel.digest)?;
        session.printer.say(format_args!("removed {}", wheel.cell));
    }
    if session.printer.json {
        session.printer.document(json!({ "removed": wheels }))?;
    }
    Ok(Ending::Done)
}

fn confirm(wheels: &[StoredWheel]) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::usage("nobody is there to be asked whether to remove wheels")
            .hint("say it beforehand: `--yes`"));
    }
    for wheel in wheels {
        talk(format_args!("  {}  {}", wheel.file_name, ByteSize(wheel.size)));
    }
    talk(format_args!("Remove {}? [y/N]", human::count(wheels.len(), "wheel")));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
