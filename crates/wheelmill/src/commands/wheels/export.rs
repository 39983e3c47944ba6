//! `wheelmill wheels export`.

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::json;
use wheelmill_store::StoredWheel;

use crate::error::{CliError, Ending};
use crate::output::safe;
use crate::settings::Session;

/// Copy wheels out of the store
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The wheels: packages, cells, file names, beginnings of digests
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// The folder to copy them to; made when missing
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = clap::ValueHint::DirPath)]
    to: Utf8PathBuf,

    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

/// Copies all, or none when a name is wrong.
pub(super) fn export(args: &ExportArgs, session: &Session) -> Result<Ending, CliError> {
    let store = session.store()?;
    let mut wheels: Vec<StoredWheel> = Vec::new();
    for name in &args.names {
        for wheel in super::find(store.as_ref(), name)? {
            if wheels.iter().any(|other| other.digest == wheel.digest) {
                continue;
            }
            if let Some(other) = wheels.iter().find(|other| other.file_name == wheel.file_name) {
                return Err(clash(other, &wheel));
            }
            wheels.push(wheel);
        }
    }
    let mut files = Vec::new();
    for (wheel, store) in wheels.iter().zip(store.iter().cycle()) {
        files.push(store.export_wheel(&wheel.digest, &args.to, args.force)?);
    }
    if session.printer.json {
        session.printer.document(json!({ "files": files }))?;
    } else {
        let lines: String = files.iter().map(|file| format!("{}\n", safe(file.as_str()))).collect();
        session.printer.data(&lines)?;
    }
    Ok(Ending::Done)
}

/// A file name tells neither CUDA nor torch, so wheels of two cells can have one.
fn clash(one: &StoredWheel, other: &StoredWheel) -> CliError {
    let name = &one.file_name;
    CliError::usage(format!(
        "two of the wheels are called `{name}`:{}{}",
        super::line(one),
        super::line(other)
    ))
    .hint("export each by the beginning of its digest, into a folder of its own: `--to DIR`")
}
