//! `wheelmill wheels ls`.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use wheelmill_model::ByteSize;
use wheelmill_store::StoredWheel;

use crate::error::{CliError, Ending};
use crate::output::{Field, Table, human, safe, style};
use crate::settings::Session;

/// List the wheels in the store
#[derive(Debug, Default, Args)]
pub(super) struct ListArgs {
    /// Only those of this name: a package, a cell, a file name, the beginning of a digest
    name: Option<String>,
}

/// Prints them, by package, newest first.
pub(super) fn list(args: &ListArgs, session: &Session) -> Result<Ending, CliError> {
    let store = session.store()?;
    let wheels = match (&args.name, &store) {
        (Some(name), store) => super::find(store.as_ref(), name)?,
        (None, Some(store)) => store.wheels()?,
        (None, None) => Vec::new(),
    };
    let printer = session.printer;
    for gone in wheels.iter().filter(|wheel| !wheel.present) {
        printer.warn(
            &format!("the file of {} is gone or has changed: {}", gone.cell, gone.path),
            Some(&format!(
                "build it again, or forget it: `wheelmill wheels rm {}`",
                gone.digest.short()
            )),
        );
    }
    if printer.json {
        printer.document(json!({ "wheels": wheels }))?;
    } else if printer.quiet {
        let paths = wheels.iter().map(|wheel| format!("{}\n", safe(wheel.path.as_str())));
        printer.data(&paths.collect::<String>())?;
    } else if wheels.is_empty() {
        printer.say("no wheels yet");
    } else {
        printer.data(&table(&wheels, Timestamp::now()))?;
    }
    Ok(Ending::Done)
}

fn table(wheels: &[StoredWheel], now: Timestamp) -> String {
    let mut table = Table::new([
        "PACKAGE", "VERSION", "CUDA", "TORCH", "PYTHON", "GPUS", "?>SIZE", "?BUILT", "DIGEST", "",
    ]);
    for wheel in wheels {
        let part = |name: &str| Field::plain(spec(&wheel.spec, name));
        let (state, state_style) = match (wheel.present, wheel.passed) {
            (false, _) => ("missing", style::bad()),
            (true, false) => ("not good", style::warning()),
            (true, true) => ("", style::good()),
        };
        table.row([
            Field::styled(wheel.package.as_str(), style::strong()),
            Field::plain(wheel.version.to_string()),
            part("cuda"),
            part("torch"),
            part("python"),
            part("architectures"),
            Field::plain(ByteSize(wheel.size).to_string()),
            Field::plain(human::ago(wheel.built_at, now)),
            Field::styled(wheel.digest.short(), style::dim()),
            Field::styled(state, state_style),
        ]);
    }
    table.render()
}

/// A member of what a cell was made of, as text.
pub(super) fn spec(spec: &Value, name: &str) -> String {
    match spec.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
