//! `wheelmill images dockerfile`.

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::json;
use wheelmill_mill::MillError;
use wheelmill_recipe::PlannedLayout;

use crate::commands::cells::{CellArgs, CellSettings};
use crate::error::{CliError, Ending};
use crate::output::safe;
use crate::settings::Session;

/// Print what a cell is built in as a Dockerfile
///
/// Takes what `plan` takes, which must come to one cell that was built once, on an image. Versions
/// are those of its lock; what is special to this machine, such as proxies, is left out.
#[derive(Debug, Args)]
pub(super) struct DockerfileArgs {
    #[command(flatten)]
    cells: CellArgs,

    /// Write it, and the files that it copies, into this folder, for `docker build DIR`
    #[arg(long, short, value_name = "DIR")]
    output: Option<Utf8PathBuf>,
}

/// Prints or writes it.
pub(super) fn dockerfile(args: &DockerfileArgs, session: &Session) -> Result<Ending, CliError> {
    let settings = CellSettings::resolve(&args.cells, session)?;
    if settings.wishes.is_empty() {
        return Err(own_dockerfiles(&settings.images));
    }
    let plan = settings.mill.plan(&settings.wishes, &settings.axes)?;
    let [cell] = &plan.cells[..] else {
        let ids: Vec<String> = plan.cells.iter().map(|cell| format!("\n{}", cell.id)).collect();
        let message = format!("one cell must be named, and these are:{}", ids.concat());
        return Err(
            CliError::usage(message).hint("name its values: `--cuda`, `--torch`, `--python`")
        );
    };
    let file = settings.mill.dockerfile(cell).map_err(told)?;
    let printer = session.printer;
    if let Some(folder) = &args.output {
        file.write(folder).map_err(|error| told(MillError::Engine(error)))?;
        printer.say(format_args!("written; build it with `docker build {folder}`"));
    }
    if printer.json {
        printer.document(json!({
            "cell": cell.id,
            "dockerfile": file.text(),
            "output": args.output,
        }))?;
    } else if let Some(folder) = &args.output {
        printer.data(&format!("{}\n", safe(folder.join("Dockerfile").as_str())))?;
    } else {
        printer.data(file.text())?;
        printer.say("`--output DIR` writes the files that it copies, too");
    }
    Ok(Ending::Done)
}

/// Cells of images have their Dockerfile already.
fn own_dockerfiles(images: &[PlannedLayout]) -> CliError {
    let message = match images {
        [PlannedLayout { cell, .. }] => {
            format!("`{}` is built by a Dockerfile of your own: `{}`", cell.id(), cell.dockerfile)
        }
        _ => {
            let lines = images.iter().map(|PlannedLayout { cell, .. }| {
                format!("\n`{}`: `{}`", cell.id(), cell.dockerfile)
            });
            let lines: String = lines.collect();
            format!("these cells are built by Dockerfiles of your own:{lines}")
        }
    };
    let hint = "read that file; this command writes one for a package that has a recipe";
    CliError::usage(message).hint(hint)
}

/// What went wrong, without naming the layers that it came through.
fn told(error: MillError) -> CliError {
    match error {
        MillError::Engine(error) => super::bootstrap::engine_error(error),
        other => other.into(),
    }
}
