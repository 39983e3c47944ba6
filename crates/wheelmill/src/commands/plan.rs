//! `wheelmill plan`: which cells are meant, what is there, what would be done.

use clap::Args;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use wheelmill_mill::{CellState, Check, Plan, PlanWarning, PlannedCell};
use wheelmill_model::CheckState;
use wheelmill_recipe::Impossible;

use super::cells::{CellArgs, CellSettings};
use crate::error::{CliError, Ending};
use crate::output::{Field, Page, Table, human, safe, style, talk};
use crate::settings::Session;

/// Show what `build` would do: cells, what is stored, what is impossible and why
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    cells: CellArgs,

    /// Also check this machine (disk, memory, namespaces), and ask the network for what the cells
    /// need: packages and versions, bases, Pythons
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
    let plan = settings.plan(&settings.wishes)?;
    let checks = args.check.then(|| settings.mill.check(&plan));
    let printer = session.printer;
    // Whether an unknown torch exists is told by the check itself.
    let told = |warning: &PlanWarning| args.check && warning.code == "torch-newer-than-known";
    for warning in plan.warnings().into_iter().filter(|warning| !told(warning)) {
        printer.warn(&warning.message, warning.hint.as_deref());
    }
    if printer.json {
        printer.document(Document { cells: &plan.cells, checks: checks.as_deref() })?;
    } else if printer.quiet {
        let ids = plan.cells.iter().map(|cell| format!("{}\n", safe(&cell.id)));
        printer.data(&ids.collect::<String>())?;
        if plan.is_impossible() {
            talk(reasons(&plan).trim_end());
        }
        for check in checks.iter().flatten().filter(|check| check.state == CheckState::Problem) {
            printer.warn(&check.message, check.fix.as_deref());
        }
    } else {
        // A table fits already, in its own way.
        printer.data(&table(&plan))?;
        let mut page = Page::new();
        let reasons = reasons(&plan);
        if !reasons.is_empty() {
            page.line("");
            page.block(&reasons);
        }
        if printer.verbose {
            add_steps(&mut page, &plan);
        }
        match checks.as_deref() {
            None => {}
            Some([]) => printer.say("nothing is to be built, so nothing was checked"),
            Some(_) => page.line(""),
        }
        printer.page(&page.finish())?;
        if let Some(checks @ [_, ..]) = checks.as_deref() {
            printer.data(&check_table(checks))?;
        }
        printer.say(totals(&plan));
    }
    Ok(if plan.is_impossible() { Ending::Usage } else { ending(checks.as_deref()) })
}

/// As a build would end: what does not exist was asked for wrongly, all else is the machine's.
fn ending(checks: Option<&[Check]>) -> Ending {
    let problems = checks.into_iter().flatten().filter(|check| check.state == CheckState::Problem);
    let (wishes, machine): (Vec<_>, Vec<_>) = problems.partition(|check| check.is_of_wishes());
    match (machine.is_empty(), wishes.is_empty()) {
        (false, _) => Ending::NotReady,
        (true, false) => Ending::Usage,
        (true, true) => Ending::Done,
    }
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
                let codes: Vec<&str> = reasons.iter().map(|reason| reason.code).collect();
                [Field::styled("impossible", style::bad()), Field::plain(codes.join(", "))]
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
        let (word, style) = style::state(check.state);
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

/// The most cells that are named beside a reason.
const NAMED_CELLS: usize = 3;

/// Each reason why cells of a plan cannot be built, once, with what to do about it. The cells are
/// named where the reason is not that of all.
pub(super) fn reasons(plan: &Plan) -> String {
    let mut page = Page::new();
    for (reason, cells) in plan.reasons() {
        let Impossible { code, message, hint } = reason;
        let label = "impossible:".style(style::bad());
        page.line(format_args!("{label} {} ({code})", safe(message)));
        if cells.len() < plan.cells.len() {
            let mut names: Vec<&str> =
                cells.iter().take(NAMED_CELLS).map(|cell| cell.id.as_str()).collect();
            let more = (cells.len() > NAMED_CELLS)
                .then(|| format!("and {} more", cells.len() - NAMED_CELLS));
            names.extend(more.as_deref());
            page.remark("cells:", style::strong(), &names.join(", "));
        }
        if let Some(hint) = hint {
            page.remark("hint:", style::active(), hint);
        }
    }
    page.finish()
}
