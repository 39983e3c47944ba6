//! `wheelmill runs logs`.

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

use clap::Args;
use fs_err::File;
use serde_json::json;
use wheelmill_store::{AttemptDetail, RunDetail, Store};

use crate::error::{CliError, Ending};
use crate::output::{SafeWriter, human, safe};
use crate::settings::Session;

/// Print the build log of a cell
///
/// With `--quiet` only where it lies; with `--json` that, and which attempt it is of.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The run, or the beginning of its identifier
    #[arg(default_value = "last")]
    run: String,

    /// The cell, or a part of its identifier [default: the one that failed, or the only one]
    cell: Option<String>,

    /// Follow the log until the build ends
    #[arg(long, short)]
    follow: bool,
}

/// How often a growing log and the state of its run are looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints the log, and what is added to it when asked to follow.
pub(super) fn logs(args: &LogsArgs, session: &Session) -> Result<Ending, CliError> {
    let store = super::store_with_runs(session)?;
    let run = store.run(&args.run)?;
    let attempt = choose(&run, args.cell.as_deref())?;
    if session.printer.json {
        session.printer.document(json!({
            "run": run.summary.id,
            "cell": attempt.cell,
            "attempt": attempt.number,
            "outcome": attempt.outcome,
            "path": attempt.log,
            "present": attempt.log.is_file(),
        }))?;
        return Ok(Ending::Done);
    }
    if session.printer.quiet {
        session.printer.data(&format!("{}\n", safe(attempt.log.as_str())))?;
        return Ok(Ending::Done);
    }
    session.printer.say(format_args!("{}", attempt.log));
    let at_work = run.attempts.iter().filter(|attempt| attempt.outcome.is_none()).count();
    if args.cell.is_none() && attempt.outcome.is_none() && at_work > 1 {
        let (cells, id) = (human::count(at_work, "cell"), &run.summary.id);
        session
            .printer
            .say(format_args!("{cells} are at work; another log: `wheelmill runs logs {id} CELL`"));
    }
    match copy(&store, &run, attempt, args.follow) {
        Err(Copying::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Ending::Done)
        }
        Err(Copying::Output(error)) => Err(error.into()),
        Err(Copying::Other(error)) => Err(error),
        Ok(()) => Ok(Ending::Done),
    }
}

/// The attempt that is meant: the named one, else one that failed, else one that runs, else the
/// only one.
fn choose<'a>(run: &'a RunDetail, cell: Option<&str>) -> Result<&'a AttemptDetail, CliError> {
    let id = &run.summary.id;
    let fits = |attempt: &&AttemptDetail| cell.is_none_or(|cell| attempt.cell.contains(cell));
    let fitting: Vec<&AttemptDetail> = run.attempts.iter().filter(fits).collect();
    let exact = fitting.iter().find(|attempt| Some(attempt.cell.as_str()) == cell);
    if let Some(exact) = exact {
        return Ok(exact);
    }
    match fitting[..] {
        [only] => Ok(only),
        [] if run.attempts.is_empty() => {
            Err(CliError::usage(format!("the run `{id}` has tried no cell yet")))
        }
        [] => Err(CliError::usage(format!(
            "the run `{id}` has no cell like `{}`",
            cell.unwrap_or_default()
        ))
        .hint(format!("see its cells: `wheelmill runs show {id}`"))),
        _ => {
            let of_interest =
                |wanted| fitting.iter().find(move |attempt| attempt.outcome == wanted);
            of_interest(Some(wheelmill_store::Outcome::Failed))
                .or_else(|| of_interest(None))
                .copied()
                .ok_or_else(|| {
                    let names: Vec<&str> =
                        fitting.iter().map(|attempt| attempt.cell.as_str()).collect();
                    let count = human::count(names.len(), "cell");
                    CliError::usage(format!("{count} fit: {}", names.join(", ")))
                        .hint(format!("name one: `wheelmill runs logs {id} {}`", names[0]))
                })
        }
    }
}

enum Copying {
    Output(io::Error),
    Other(CliError),
}

impl From<io::Error> for Copying {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

fn copy(
    store: &Store,
    run: &RunDetail,
    attempt: &AttemptDetail,
    follow: bool,
) -> Result<(), Copying> {
    let mut file = match File::open(&attempt.log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("the log `{}` is gone", attempt.log);
            return Err(Copying::Other(CliError::usage(message)));
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = SafeWriter::new(anstream::stdout().lock());
    let mut piece = vec![0; 1 << 16];
    let mut over = !follow;
    loop {
        // Whether it is over is asked before the rest is read, so that no last line is missed.
        let last_round = over;
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                break;
            }
            out.write_all(&piece[..length]).map_err(Copying::Output)?;
        }
        if last_round {
            return out.finish().map_err(Copying::Output);
        }
        out.flush().map_err(Copying::Output)?;
        over = is_over(store, run, attempt).map_err(Copying::Other)?;
        if !over {
            thread::sleep(PAUSE);
        }
    }
}

fn is_over(store: &Store, run: &RunDetail, attempt: &AttemptDetail) -> Result<bool, CliError> {
    store.settle_dead_runs()?;
    let now = store.run(run.summary.id.as_str())?;
    let same = now.attempts.iter().find(|now| now.id == attempt.id);
    Ok(same.is_none_or(|attempt| attempt.outcome.is_some()))
}
