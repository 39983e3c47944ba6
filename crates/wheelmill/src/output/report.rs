//! What a run came to: a line for each cell while it goes on, and the page at its end.

use owo_colors::{OwoColorize as _, Style};
use wheelmill_mill::{CellOutcome, CellResult, Failure};
use wheelmill_model::ByteSize;

use super::{Field, Page, Table, human, safe, style};

const fn outcome_style(outcome: CellOutcome) -> Style {
    match outcome {
        CellOutcome::Built | CellOutcome::Stored => style::good(),
        CellOutcome::Failed | CellOutcome::Impossible => style::bad(),
        CellOutcome::Cancelled => style::warning(),
    }
}

/// `built      torchsort-0.1.10-…  1m 48s  sm_90 natively`.
pub(crate) fn cell_line(result: &CellResult) -> String {
    let word = format!("{:<10}", result.outcome.as_str());
    let line = format!(
        "{} {}  {}",
        word.style(outcome_style(result.outcome)),
        safe(&result.cell),
        human::duration(result.wall).style(style::dim())
    );
    let remark = match &result.failure {
        Some(failure) => Some(failure.cause.as_str()),
        None => result.verdict.as_deref(),
    };
    match remark {
        Some(remark) => format!("{line}  {}", safe(remark).style(style::dim())),
        None => line,
    }
}

/// The table of all cells, and below it where each wheel lies.
pub(crate) fn summary(cells: &[CellResult]) -> String {
    let mut table = Table::new(["CELL", "RESULT", ">TIME", ">SIZE", ">PEAK MEMORY"]);
    for cell in cells {
        let size = cell.wheel.as_ref().map(|wheel| ByteSize(wheel.size).to_string());
        let memory = cell.peak_memory.map(|peak| peak.to_string());
        table.row([
            Field::plain(&cell.cell),
            Field::styled(cell.outcome.as_str(), outcome_style(cell.outcome)),
            Field::plain(human::duration(cell.wall)),
            Field::plain(size.unwrap_or_default()),
            Field::plain(memory.unwrap_or_default()),
        ]);
    }
    let mut page = table.render();
    let paths = wheel_paths(cells);
    if !paths.is_empty() {
        page.push('\n');
        page.push_str(&paths);
    }
    page
}

/// Where each wheel lies, a line each.
pub(crate) fn wheel_paths(cells: &[CellResult]) -> String {
    let wheels = cells.iter().filter_map(|cell| cell.wheel.as_ref());
    wheels.map(|wheel| format!("{}\n", safe(wheel.path.as_str()))).collect()
}

/// Adds why a cell failed and what to do about it.
pub(crate) fn add_failure(page: &mut Page, cell: &str, failure: &Failure) {
    page.line(format_args!(
        "{} {} failed in {}: {} ({})",
        "error:".style(style::bad()),
        safe(cell).style(style::strong()),
        failure.phase,
        safe(&failure.message),
        failure.cause.as_str()
    ));
    for line in &failure.lines {
        page.quote(line);
    }
    for fix in &failure.fixes {
        page.remark("fix:", style::active(), fix);
    }
    if let Some(log) = &failure.log {
        page.remark("log:", style::strong(), log.as_str());
    }
}
