//! `wheelmill generate-docs`: writes the reference pages of the repository.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::error::{CliError, Ending};
use crate::{environment, reference};

/// Write the generated reference pages into a folder
#[derive(Debug, Args)]
pub(crate) struct GenerateDocsArgs {
    /// The folder
    folder: Utf8PathBuf,
}

/// Writes them all.
pub(crate) fn generate_docs(args: &GenerateDocsArgs) -> Result<Ending, CliError> {
    let folder = &args.folder;
    fs_err::create_dir_all(folder)?;
    write(folder, "cli.md", &reference::command_line(&Cli::command()))?;
    write(folder, "environment.md", &environment::reference())?;
    write(folder, "recipe.md", &wheelmill_recipe::reference_markdown())?;
    write(folder, "findings.md", &reference::findings())?;
    for (name, schema) in [
        ("recipe.schema.json", wheelmill_recipe::json_schema_recipe()),
        ("project.schema.json", wheelmill_recipe::json_schema_project()),
    ] {
        write(folder, name, &format!("{schema:#}\n"))?;
    }
    Ok(Ending::Done)
}

fn write(folder: &Utf8Path, name: &str, text: &str) -> Result<(), CliError> {
    fs_err::write(folder.join(name), text)?;
    Ok(())
}
