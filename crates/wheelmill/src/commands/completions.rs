//! `wheelmill completions`: what a shell needs to complete the command line.

use clap::{Args, Command, CommandFactory as _};
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

/// The command line without what is hidden, which zsh would be told of too.
fn visible(command: Command) -> Command {
    Command::new("wheelmill")
        .disable_help_subcommand(true)
        .args(command.get_arguments().cloned())
        .subcommands(command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned())
}

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs, session: &Session) -> Result<Ending, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible(Cli::command()), "wheelmill", &mut script);
    session.printer.data(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Done)
}
