//! `wheelmill wheels export`.

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::json;

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
    let mut digests = Vec::new();
    for name in &args.names {
        for wheel in super::find(store.as_ref(), name)? {
            if !digests.contains(&wheel.digest) {
                digests.push(wheel.digest);
            }
        }
    }
    let mut files = Vec::new();
    for (digest, store) in digests.iter().zip(store.iter().cycle()) {
        files.push(store.export_wheel(digest, &args.to, args.force)?);
    }
    if session.printer.json {
        session.printer.document(json!({ "files": files }))?;
    } else {
        let lines: String = files.iter().map(|file| format!("{}\n", safe(file.as_str()))).collect();
        session.printer.data(&lines)?;
    }
    Ok(Ending::Done)
}
