//! `wheelmill wheels show` and `wheelmill wheels where`.

use clap::Args;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use wheelmill_model::ByteSize;
use wheelmill_store::StoredWheel;

use super::list::spec;
use crate::error::{CliError, Ending};
use crate::output::{Page, human, safe, style};
use crate::settings::Session;

/// Show one wheel: where it came from, what it was judged, where it lies
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The wheel: a package, a cell, a file name, the beginning of a digest
    name: String,

    /// Read the whole file and compare it with its digest
    #[arg(long)]
    check: bool,
}

/// Prints its page.
pub(super) fn show(args: &ShowArgs, session: &Session) -> Result<Ending, CliError> {
    let store = session.store()?;
    let wheel = super::find_one(store.as_ref(), &args.name)?;
    if let (true, Some(store)) = (args.check, &store) {
        store.check_wheel(&wheel.digest)?;
        session.printer.say("the file is what its digest says");
    }
    if session.printer.json {
        session.printer.document(json!({ "wheel": wheel }))?;
    } else {
        session.printer.page(&page(&wheel))?;
    }
    Ok(Ending::Done)
}

fn page(wheel: &StoredWheel) -> String {
    let judged = match (wheel.present, wheel.passed) {
        (false, _) => "the file is gone or has changed",
        (true, true) => "good",
        (true, false) => "not good",
    };
    let mut page = Page::new();
    page.line(safe(wheel.file_name.as_str()).style(style::strong()));
    let mut field = |name: &str, value: &str| page.field("  ", 13, name, value);
    field("path", wheel.path.as_str());
    field("sha256", &wheel.digest.to_string());
    field("size", &ByteSize(wheel.size).to_string());
    field("cell", &wheel.cell);
    for name in ["cuda", "torch", "python", "architectures"] {
        field(name, &spec(&wheel.spec, name));
    }
    field("built", &human::moment(wheel.built_at));
    field("run", wheel.run.as_str());
    field("verdict", judged);
    field("runs on", wheel.verdict.get("summary").and_then(Value::as_str).unwrap_or_default());
    for check in wheelmill_mill::not_checked(&wheel.verdict) {
        field("not checked", &format!("{} ({})", check.what, check.why));
    }
    page.finish()
}

/// Print where wheels lie: one of them, or the folder of all
#[derive(Debug, Args)]
pub(super) struct WhereArgs {
    /// The wheel: a package, a cell, a file name, the beginning of a digest [default: the folder]
    name: Option<String>,
}

/// Prints the path and nothing else, for use in other commands.
pub(super) fn show_path(args: &WhereArgs, session: &Session) -> Result<Ending, CliError> {
    let path = match &args.name {
        Some(name) => {
            let wheel = super::find_one(session.store()?.as_ref(), name)?;
            if !wheel.present {
                return Err(CliError::new(
                    Ending::Failed,
                    format!("the file of {} is gone or has changed: {}", wheel.cell, wheel.path),
                )
                .hint(format!("forget it: `wheelmill wheels rm {}`", wheel.digest.short())));
            }
            wheel.path
        }
        None => session.home()?.join("wheels"),
    };
    if session.printer.json {
        session.printer.document(json!({ "path": path }))?;
    } else {
        session.printer.data(&format!("{}\n", safe(path.as_str())))?;
    }
    Ok(Ending::Done)
}
