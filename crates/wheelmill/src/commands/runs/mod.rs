//! `wheelmill runs`: the history of builds.

mod cancel;
mod compiles;
mod events;
mod list;
mod logs;
mod show;
mod state;

use clap::{Args, Subcommand};
use wheelmill_store::Store;

use crate::error::{CliError, Ending};
use crate::settings::Session;

/// The history of builds
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,

    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    Ls(list::ListArgs),
    Show(show::ShowArgs),
    Logs(logs::LogsArgs),
    Cancel(cancel::CancelArgs),
}

/// Does what was asked for; without a word, the list.
pub(crate) fn runs(args: &RunsArgs, session: &Session) -> Result<Ending, CliError> {
    if args.command.is_some() && args.list.limit.is_some() {
        return Err(CliError::usage("`--limit` before a command limits nothing")
            .hint("write it behind the command: `wheelmill runs ls -n 5`"));
    }
    match &args.command {
        None => list::list(&args.list, session),
        Some(RunsCommand::Ls(args)) => list::list(args, session),
        Some(RunsCommand::Show(args)) => show::show(args, session),
        Some(RunsCommand::Logs(args)) => logs::logs(args, session),
        Some(RunsCommand::Cancel(args)) => cancel::cancel(args, session),
    }
}

/// The store, where a run is asked for by name: without a store there is none.
fn store_with_runs(session: &Session) -> Result<Store, CliError> {
    session.store()?.ok_or_else(|| {
        CliError::usage("nothing was built yet, so there are no runs")
            .hint("build something: `wheelmill build torchsort --cuda 13.0`")
    })
}
