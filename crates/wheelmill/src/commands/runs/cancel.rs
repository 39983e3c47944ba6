//! `wheelmill runs cancel`.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use wheelmill_model::RunId;
use wheelmill_store::{CancelledBy, Owner, RunOutcome, Store};

use crate::error::{CliError, Ending};
use crate::settings::Session;

/// Stop a run that goes on
#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run, or the beginning of its identifier [default: the only one that goes on]
    run: Option<String>,
}

/// How long a run is given to stop. It stops its builds within two seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Asks its process to stop and waits until the history says so.
pub(super) fn cancel(args: &CancelArgs, session: &Session) -> Result<Ending, CliError> {
    let store = super::store_with_runs(session)?;
    let run = match &args.run {
        Some(text) => store.run(text)?.summary.id,
        None => only_running(&store)?,
    };
    let Some(owner) = store.owner_of(&run)? else {
        let outcome = store.run(run.as_str())?.summary.outcome;
        let outcome = outcome.map(|outcome| format!(": {}", outcome.as_str()));
        let message = format!("the run `{run}` is over already{}", outcome.unwrap_or_default());
        return Err(CliError::usage(message));
    };
    let outcome = stop(&store, &run, &owner)?;
    if session.printer.json {
        session.printer.document(json!({ "run": run, "outcome": outcome }))?;
    } else {
        session
            .printer
            .say(format_args!("{run} {}", outcome.map_or("running", RunOutcome::as_str)));
    }
    Ok(Ending::Done)
}

fn only_running(store: &Store) -> Result<RunId, CliError> {
    let mut running: Vec<RunId> = store
        .runs(usize::MAX)?
        .into_iter()
        .filter(|run| run.outcome.is_none())
        .map(|run| run.id)
        .collect();
    match running.len() {
        0 => Err(CliError::usage("no run goes on")),
        1 => Ok(running.remove(0)),
        _ => {
            let names: Vec<&str> = running.iter().map(RunId::as_str).collect();
            Err(CliError::usage(format!("several runs go on: {}", names.join(", ")))
                .hint(format!("name one: `wheelmill runs cancel {}`", names[0])))
        }
    }
}

fn stop(store: &Store, run: &RunId, owner: &Owner) -> Result<Option<RunOutcome>, CliError> {
    let process = i32::try_from(owner.pid).map(Pid::from_raw).map_err(|_| {
        CliError::new(Ending::Defect, format!("{} is not a process number", owner.pid))
    })?;
    match kill(process, Signal::SIGINT) {
        Ok(()) => store.note_cancelled_by(run, CancelledBy::RunsCancel)?,
        // It ended by itself in between.
        Err(Errno::ESRCH) => {}
        Err(source) => {
            let run = run.to_string();
            return Err(CliError::new(Ending::Usage, KillError { run, pid: owner.pid, source })
                .hint("run it as the user who started the build"));
        }
    }
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        store.settle_dead_runs()?;
        if let Some(outcome) = store.run(run.as_str())?.summary.outcome {
            return Ok(Some(outcome));
        }
        thread::sleep(PAUSE);
    }
    Err(CliError::new(Ending::Failed, format!("the run `{run}` has not stopped yet"))
        .hint(format!("kill its process, nothing stored is lost: `kill -KILL {}`", owner.pid)))
}

#[derive(Debug, thiserror::Error)]
#[error("could not tell the process {pid} of the run `{run}` to stop")]
struct KillError {
    run: String,
    pid: u32,
    source: Errno,
}
