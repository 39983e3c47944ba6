//! `wheelmill images`: what containers start from: bases, and what was made on them.

mod bootstrap;
mod dockerfile;
mod list;

use clap::{Args, Subcommand};

use crate::error::{CliError, Ending};
use crate::settings::Session;

/// The layers and images that builds start from
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    #[command(subcommand)]
    command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
enum ImagesCommand {
    Ls(list::ListArgs),
    Dockerfile(Box<dockerfile::DockerfileArgs>),
    Bootstrap(bootstrap::BootstrapArgs),
}

/// Does what was asked for.
pub(crate) fn images(args: &ImagesArgs, session: &Session) -> Result<Ending, CliError> {
    match &args.command {
        ImagesCommand::Ls(args) => list::list(args, session),
        ImagesCommand::Dockerfile(args) => dockerfile::dockerfile(args, session),
        ImagesCommand::Bootstrap(args) => bootstrap::bootstrap(args, session),
    }
}
