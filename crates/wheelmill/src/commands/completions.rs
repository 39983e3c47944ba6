//! `wheelmill completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::{CliError, Ending};
use crate::settings::Session;

/// Print completions for a shell
///
/// For bash: `wheelmill completions bash > ~/.local/share/bash-completion/completions/wheelmill`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs, session: &Session) -> Result<Ending, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wheelmill", &mut script);
    session.printer.data(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Done)
}
