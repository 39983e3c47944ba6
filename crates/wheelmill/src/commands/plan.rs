//! `wheelmill plan`: which cells are meant, what is there, what would be done.

use clap::Args;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use wheelmill_mill::{CellState, Check, CheckState, Plan, PlannedCell};

use super::cells::{CellArgs, CellSettings};
use crate::error::{CliError, Ending};
use crate::output::{Field, Page, Table, human, safe, style};
use crate::settings::Session;

/// Show what `build` would do: cells, what is stored, what is impossible and why
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    cells: CellArgs,

    /// Also check this machine: disk, memory, network, namespaces
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    cells: &'a [PlannedCell],
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [Check]>,
}

/// Prints the plan; asks no network unless told to check.
pub(crate) fn plan(args: &PlanArgs, session: &Session) -> Result<Ending, CliError> {
    let settings = CellSettings::resolve(&args.cells, session)?;
    let plan = settings.mill.plan(&settings.wishes, &settings.axes)?;
    let checks = args.check.then(|| settings.mill.preflight(&plan));
    let printer = session.printer;
    if printer.json {
        printer.document(Document { cells: &plan.cells, checks: checks.as_deref() })?;
    } else if printer.quiet {
        let ids = plan.cells.iter().map(|cell| format!("{}\n", safe(&cell.id)));
        printer.data(&ids.collect::<String>())?;
    } else {
        let mut page = Page::new();
        page.block(&table(&plan));
        if printer.verbose {
            add_steps(&mut page, &plan);
        }
        if let Some(checks) = &checks {
            page.line("");
            page.block(&check_table(checks));
        }
        printer.data(&page.finish())?;
        printer.say(totals(&plan));
    }
    let not_ready = checks.iter().flatten().any(|check| check.state == CheckState::Problem);
    Ok(match (plan.is_impossible(), not_ready) {
        (true, _) => Ending::Usage,
        (false, true) => Ending::NotReady,
        (false, false) => Ending::Done,
    })
}

fn table(plan: &Plan) -> String {
    let mut table = Table::new(["CELL", "STATE", "DETAILS"]);
    for cell in &plan.cells {
        let [state, with] = match &cell.state {
            CellState::Stored(_) => {
                [Field::styled("stored", style::good()), Field::plain(&cell.toolchain)]
            }
            CellState::Wanted => {
                let mut with = cell.toolchain.clone();
                if cell.network_while_compiling {
                    with.push_str("; compiles with network");
                }
                if let Some(expected) = cell.expected {
                    with = format!("{with}; about {}", human::duration(expected));
                }
                [Field::styled("to build", style::active()), Field::plain(with)]
            }
            CellState::Impossible(reasons) => {
                let reasons: Vec<&str> =
                    reasons.iter().map(|reason| reason.message.as_str()).collect();
                [Field::styled("impossible", style::bad()), Field::plain(reasons.join("; "))]
            }
        };
        table.row([Field::plain(&cell.id), state, with]);
    }
    table.render()
}

/// What would be done for each cell.
fn add_steps(page: &mut Page, plan: &Plan) {
    for cell in plan.wanted() {
        page.line(format_args!("\n{}", safe(&cell.id).style(style::strong())));
        for step in &cell.steps {
            page.line(format_args!("  {}", safe(step)));
        }
    }
}

fn check_table(checks: &[Check]) -> String {
    let mut table = Table::new(["CHECK", "STATE", "FOUND"]);
    for check in checks {
        let (word, style) = match check.state {
            CheckState::Ok => ("ok", style::good()),
            CheckState::Warning => ("warning", style::warning()),
            CheckState::Problem => ("problem", style::bad()),
            CheckState::NotChecked => ("not checked", style::warning()),
        };
        let found = match &check.fix {
            Some(fix) => format!("{}; {fix}", check.message),
            None => check.message.clone(),
        };
        table.row([Field::plain(check.code), Field::styled(word, style), Field::plain(found)]);
    }
    table.render()
}

/// `3 cells: 1 stored, 2 to build, about 4m 10s`.
fn totals(plan: &Plan) -> String {
    let count = |wanted: fn(&CellState) -> bool| {
        plan.cells.iter().filter(|cell| wanted(&cell.state)).count()
    };
    let parts = [
        (count(|state| matches!(state, CellState::Stored(_))), "stored"),
        (count(|state| matches!(state, CellState::Wanted)), "to build"),
        (count(|state| matches!(state, CellState::Impossible(_))), "impossible"),
    ];
    let named: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let mut text = format!("{}: {}", human::count(plan.cells.len(), "cell"), named.join(", "));
    // A sum over some of the cells would promise too little.
    let times: Option<Vec<_>> = plan.wanted().map(|cell| cell.expected).collect();
    if let Some(times) = times.filter(|times| !times.is_empty()) {
        text = format!("{text}, about {}", human::duration(times.into_iter().sum()));
    }
    text
}

/// Every reason why cells of a plan cannot be built, with what to do about it.
pub(super) fn reasons(plan: &Plan) -> String {
    let mut page = Page::new();
    for cell in &plan.cells {
        let CellState::Impossible(reasons) = &cell.state else { continue };
        let label = "impossible:".style(style::bad());
        page.line(format_args!("{label} {}", safe(&cell.id).style(style::strong())));
        for reason in reasons {
            page.line(format_args!("  {} ({})", safe(&reason.message), reason.code));
            if let Some(hint) = &reason.hint {
                page.line(format_args!("    {} {}", "hint:".style(style::active()), safe(hint)));
            }
        }
    }
    page.finish()
}
