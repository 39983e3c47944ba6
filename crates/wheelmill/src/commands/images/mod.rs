//! `wheelmill images`: what containers start from.

mod bootstrap;

use clap::{Args, Subcommand};

use crate::error::{CliError, Ending};
use crate::settings::Session;

/// The images that builds start from
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    #[command(subcommand)]
    command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
enum ImagesCommand {
    Bootstrap(bootstrap::BootstrapArgs),
}

/// Does what was asked for.
pub(crate) fn images(args: &ImagesArgs, session: &Session) -> Result<Ending, CliError> {
    match &args.command {
        ImagesCommand::Bootstrap(args) => bootstrap::bootstrap(args, session),
    }
}
