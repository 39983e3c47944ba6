//! `wheelmill man`: manual pages.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::error::{CliError, Ending};
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
    let command = Cli::command();
    match &args.out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            session.printer.data(&String::from_utf8_lossy(&page))?;
        }
        Some(folder) => {
            write_pages(command, folder)?;
            session.printer.say(format_args!("the pages are in {folder}"));
        }
    }
    Ok(Ending::Done)
}

fn write_pages(command: clap::Command, folder: &Utf8Path) -> Result<(), CliError> {
    fs_err::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)?;
    Ok(())
}
