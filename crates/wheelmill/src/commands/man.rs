//! `wheelmill man`: manual pages.

use camino::Utf8PathBuf;
use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::error::{CliError, Ending};
use crate::manual;
use crate::settings::Session;

/// Print the manual page, or write one page for each command into a folder
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write all pages into this folder, as `wheelmill.1`, `wheelmill-build.1`, …
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<Utf8PathBuf>,
}

/// Prints the main page, or writes all.
pub(crate) fn man(args: &ManArgs, session: &Session) -> Result<Ending, CliError> {
    let pages = manual::pages(Cli::command())?;
    match &args.out {
        None => session.printer.data(&pages[0].text)?,
        Some(folder) => {
            fs_err::create_dir_all(folder)?;
            for page in pages {
                fs_err::write(folder.join(page.file), page.text)?;
            }
            session.printer.say(format_args!("the pages are in {folder}"));
        }
    }
    Ok(Ending::Done)
}
