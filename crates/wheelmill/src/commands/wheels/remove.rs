//! `wheelmill wheels rm`.

use clap::Args;
use serde_json::json;
use wheelmill_model::ByteSize;
use wheelmill_store::StoredWheel;

use crate::commands::confirm;
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
        session.printer.say(format_args!("removed {}  {}", wheel.digest.short(), wheel.cell));
    }
    if session.printer.json {
        session.printer.document(json!({ "removed": wheels }))?;
    }
    Ok(Ending::Done)
}

fn confirm(wheels: &[StoredWheel]) -> Result<bool, CliError> {
    if !confirm::somebody_is_there() {
        return Err(confirm::nobody("wheels"));
    }
    for wheel in wheels {
        let (digest, size) = (wheel.digest.short(), ByteSize(wheel.size));
        talk(format_args!("  {digest}  {}  {size}", wheel.file_name));
    }
    confirm::ask(&format!("Remove {}?", human::count(wheels.len(), "wheel")))
}
