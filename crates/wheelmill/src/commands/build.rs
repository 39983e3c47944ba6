//! `wheelmill build`: from a wish to wheels in the store.

use std::num::NonZeroU32;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use wheelmill_mill::{CellOutcome, CellResult, Event, Reporter, RunResult};
use wheelmill_model::RunId;

use super::cells::{CellArgs, CellSettings};
use super::plan::reasons;
use crate::environment;
use crate::error::{CliError, Ending};
use crate::output::{
    LiveView, Page, PlainView, Printer, human, report, stderr_moves, talk, warning_of,
};
use crate::settings::Session;
use crate::signals;

/// Build wheels, prove each one good and keep it
///
/// A wheel that is in the store already is not built again. The default matrix is one cell: the
/// newest CUDA release and torch that fit each other, this machine's Python, all GPUs.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    cells: CellArgs,

    /// How many cells are built at a time, at most; `1`: one after the other [env: WHEELMILL_CELLS]
    /// [default: as many as keep the processors busy]
    #[arg(long = "cells", value_name = "N", help_heading = "Machine")]
    most: Option<CellCount>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    /// None when there was nothing to build.
    run: Option<&'a RunId>,
    cancelled: bool,
    wall_seconds: f64,
    cells: &'a [CellResult],
}

/// Builds, and prints what came of it.
pub(crate) fn build(args: &BuildArgs, session: &Session) -> Result<Ending, CliError> {
    let settings = CellSettings::resolve(&args.cells, session)?;
    let most =
        session.setting(args.most, environment::CELLS, |build| build.cells.map(CellCount))?;
    let wishes = settings.mill.resolve_versions(&settings.wishes, &settings.axes)?;
    let plan = settings.plan(&wishes)?;
    let impossible = reasons(&plan);
    if !impossible.is_empty() {
        talk(impossible.trim_end());
    }
    if plan.is_impossible() {
        let reasons = plan.reasons().into_iter().map(|(reason, _)| reason).collect::<Vec<_>>();
        return Err(CliError::usage("no cell can be built, for the reasons above")
            .reasons(serde_json::json!(reasons)));
    }
    let cancel = signals::listen()?;
    let reporter = reporter(session);
    let result = settings.mill.build(&plan, most.map(|CellCount(most)| most), &*reporter, &cancel);
    // What moves on the terminal is gone before the result is printed.
    drop(reporter);
    let result = result?;
    print(&result, session.printer)?;
    Ok(ending(&result))
}

pub(super) fn reporter(session: &Session) -> Box<dyn Reporter> {
    let printer = session.printer;
    if printer.quiet {
        Box::new(move |event: &Event| {
            if let Event::Warning { cell, message, hint } = event {
                talk(warning_of(cell.as_deref(), message, hint.as_deref()));
            }
        })
    } else if !printer.verbose && stderr_moves(session.environment.get("TERM")) {
        Box::new(LiveView::start())
    } else {
        Box::new(PlainView::start(printer.verbose))
    }
}

fn print(result: &RunResult, printer: Printer) -> Result<(), CliError> {
    for cell in &result.cells {
        if let Some(failure) = &cell.failure {
            let mut page = Page::new();
            page.line("");
            report::add_failure(&mut page, &cell.cell, failure);
            talk(page.finish().trim_end());
        }
    }
    if printer.json {
        printer.document(Document {
            run: result.run.as_ref(),
            cancelled: result.cancelled,
            wall_seconds: result.wall.as_secs_f64(),
            cells: &result.cells,
        })?;
    } else if printer.quiet {
        printer.data(&report::wheel_paths(&result.cells))?;
    } else {
        printer.say("");
        printer.data(&report::summary(&result.cells))?;
        for part in [report::compile_cache, report::dearest_compiles, report::not_checked] {
            let part = part(&result.cells);
            if !part.is_empty() {
                printer.page(&format!("\n{part}"))?;
            }
        }
        let paths = report::wheel_paths(&result.cells);
        if !paths.is_empty() {
            printer.data(&format!("\n{paths}"))?;
        }
        let cells = human::count(result.cells.len(), "cell");
        let wall = human::duration(result.wall);
        let run = result.run.as_ref().map(|run| format!("run {run}: ")).unwrap_or_default();
        printer.say(format_args!("\n{run}{cells} in {wall}"));
        if result.cancelled {
            printer.say("the same command goes on from what ninja compiled");
        }
    }
    Ok(())
}

/// A number of cells.
#[derive(Clone, Copy, Debug)]
struct CellCount(NonZeroU32);

impl FromStr for CellCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.parse().map(Self);
        count.map_err(|_| format!("`{text}` is not a number of cells: write it as `4`"))
    }
}

/// A matrix may hold cells that cannot be: those were said, and the others count.
fn ending(result: &RunResult) -> Ending {
    if result.cancelled {
        return Ending::Interrupted;
    }
    match result.cells.iter().any(|cell| cell.outcome == CellOutcome::Failed) {
        true => Ending::Failed,
        false => Ending::Done,
    }
}
