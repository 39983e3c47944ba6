//! `wheelmill shell`: a person in the container of a cell.

use std::io::{self, IsTerminal as _, Stdin};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use nix::sys::termios::{self, SetArg, Termios};
use signal_hook::consts::SIGWINCH;
use wheelmill_engine::Terminal;
use wheelmill_mill::{CellState, Plan, PlannedCell, Shell, ShellError, ShellPlace, quoted};

use super::build::reporter;
use super::cells::{CellArgs, CellSettings};
use super::plan::reasons;
use crate::error::{CliError, Ending};
use crate::output::{Page, Printer, put, report, talk};
use crate::settings::Session;
use crate::signals;

/// Open a shell in the container in which a package is built
///
/// The same environment, folders and limits as the build, and no network where the build has none.
/// After a build that did not come to its end, or another shell, the source is as it was left. The
/// exit code is that of the shell.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    cells: CellArgs,
}

/// Opens the shell and stays until it ends.
pub(crate) fn shell(args: &ShellArgs, session: &Session) -> Result<Ending, CliError> {
    let (input, output) = (io::stdin(), io::stdout());
    if !input.is_terminal() || !output.is_terminal() {
        return Err(CliError::usage("a shell needs a terminal for its input and output")
            .hint("to run a build without one: `wheelmill build`"));
    }
    let settings = CellSettings::resolve(&args.cells, session)?;
    let wishes = settings.mill.resolve_versions(&settings.wishes, &settings.axes)?;
    let plan = settings.plan(&wishes)?;
    let cell = only_cell(&plan)?;
    let cancel = signals::listen()?;
    let resized = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGWINCH, Arc::clone(&resized))
        .map_err(|source| CliError::new(Ending::Defect, source))?;
    let reporter = reporter(session);
    let opened = settings.mill.open_shell(&plan, cell, &*reporter, &cancel);
    // What moves on the terminal is gone before the shell begins.
    drop(reporter);
    let opened = match opened {
        Ok(opened) => opened,
        Err(ShellError::Mill(error)) => return Err(error.into()),
        Err(ShellError::Cell(failure)) => {
            let mut page = Page::new();
            report::add_failure(&mut page, &cell.id, &failure);
            talk(page.finish().trim_end());
            return Ok(Ending::Failed);
        }
    };
    greet(cell, &opened, session.printer);
    let raw = RawMode::enter(&input);
    let terminal = Terminal { input: input.as_fd(), output: output.as_fd(), resized: &resized };
    let exit = settings.mill.run_shell(&opened, terminal, &cancel);
    drop(raw);
    let exit = exit?;
    match &opened.place {
        ShellPlace::Source(folder) if folder.is_dir() => session.printer.say(format_args!(
            "\nwhat you changed stays in {folder} until the cell is built again"
        )),
        ShellPlace::Source(_) => {}
        ShellPlace::Volume(volume) => session.printer.say(format_args!(
            "\nwhat you left in /builds stays in the volume {volume}; all else is gone"
        )),
    }
    Ok(match exit.cancelled {
        true => Ending::Interrupted,
        false => Ending::OfCommand(u8::try_from(exit.code).unwrap_or(255)),
    })
}

/// The one cell that is meant.
fn only_cell(plan: &Plan) -> Result<&PlannedCell, CliError> {
    let possible = |cell: &&PlannedCell| !matches!(cell.state, CellState::Impossible(_));
    let cells: Vec<&PlannedCell> = plan.cells.iter().filter(possible).collect();
    match cells[..] {
        [cell] => Ok(cell),
        [] => {
            talk(reasons(plan).trim_end());
            Err(CliError::usage("no such cell can be built, for the reasons above"))
        }
        [..] => {
            let names: Vec<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
            let message = format!("a shell is for one cell, and these are {}", cells.len());
            Err(CliError::usage(message).hint(format!(
                "choose with `--cuda`, `--torch` and `--python` among {}",
                names.join(", ")
            )))
        }
    }
}

fn greet(cell: &PlannedCell, shell: &Shell, printer: Printer) {
    let command: Vec<String> = shell.command.iter().map(|word| quoted(word)).collect();
    let state = match (shell.used, &shell.place) {
        (false, _) => "",
        (true, ShellPlace::Source(_)) => ", as it was left",
        (true, ShellPlace::Volume(_)) => ", in what the failed build left",
    };
    let place = match &shell.place {
        ShellPlace::Source(_) => "with its source in /build/src".to_owned(),
        ShellPlace::Volume(volume) => format!("with the volume {volume} at /builds"),
    };
    printer.say(format_args!("\n{}, {place}{state}", cell.id));
    if !printer.quiet && !command.is_empty() {
        // Whole, so that it can be copied.
        put(&format!("the build runs: {}\n", command.join(" ")));
    }
}

/// A terminal that passes every key on as it is, until this is dropped.
struct RawMode<'a> {
    terminal: &'a Stdin,
    before: Termios,
}

impl<'a> RawMode<'a> {
    /// None for a terminal that cannot be set: keys then come by lines.
    fn enter(terminal: &'a Stdin) -> Option<Self> {
        let before = termios::tcgetattr(terminal).ok()?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(terminal, SetArg::TCSANOW, &raw).ok()?;
        Some(Self { terminal, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no mode.
        let _ = termios::tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}
