//! What a run came to: a line for each cell while it goes on, and the page at its end.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use owo_colors::{OwoColorize as _, Style};
use wheelmill_gate::CompileRecord;
use wheelmill_mill::{CellOutcome, CellResult, Failure};
use wheelmill_model::ByteSize;
use wheelmill_wheel::NotChecked;

use super::{Field, Page, Table, human, safe, style};

/// How many compiles the page of a run names.
const MOST_COMPILES: usize = 10;
/// What a compile must take to be worth a line.
const MOMENT: Duration = Duration::from_secs(1);

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
    let word = word.style(outcome_style(result.outcome));
    let line = match time(result) {
        Some(time) => format!("{word} {}  {}", safe(&result.cell), time.style(style::dim())),
        None => format!("{word} {}", safe(&result.cell)),
    };
    let remark = match &result.failure {
        Some(failure) => Some(failure.cause.as_str()),
        None => result.verdict.as_deref(),
    };
    match remark {
        Some(remark) => format!("{line}  {}", safe(remark).style(style::dim())),
        None => line,
    }
}

/// How long a cell took; none when nothing was done for it.
fn time(result: &CellResult) -> Option<String> {
    (!result.wall.is_zero()).then(|| human::duration(result.wall))
}

/// The table of all cells.
pub(crate) fn summary(cells: &[CellResult]) -> String {
    let mut table = Table::new(["CELL", "RESULT", "?>TIME", "?>SIZE", "?>PEAK MEMORY"]);
    for cell in cells {
        let size = cell.wheel.as_ref().map(|wheel| ByteSize(wheel.size).to_string());
        let memory = cell.peak_memory.map(|peak| peak.to_string());
        table.row([
            Field::plain(&cell.cell),
            Field::styled(cell.outcome.as_str(), outcome_style(cell.outcome)),
            Field::plain(time(cell).unwrap_or_default()),
            Field::plain(size.unwrap_or_default()),
            Field::plain(memory.unwrap_or_default()),
        ]);
    }
    table.render()
}

/// What the compile cache did: a line for each cell that asked it, with the cell's name unless there
/// is only one.
pub(crate) fn compile_cache(cells: &[CellResult]) -> String {
    let mut page = Page::new();
    for cell in cells {
        let Some(count) = cell.compile_cache else { continue };
        let of = if cells.len() == 1 { String::new() } else { format!(" of {}", cell.cell) };
        page.line(format_args!("compile cache{}: {count}", safe(&of)));
    }
    page.finish()
}

/// The compiles of all cells that took the longest, of those that took more than a moment.
pub(crate) fn dearest_compiles(cells: &[CellResult]) -> String {
    let all = cells.iter().flat_map(|cell| &cell.dearest_compiles);
    let mut dearest: Vec<&CompileRecord> = all.filter(|it| it.wall >= MOMENT).collect();
    dearest.sort_by_key(|record| Reverse(record.wall));
    dearest.truncate(MOST_COMPILES);
    let mut page = Page::new();
    add_compiles(&mut page, "", &dearest);
    page.finish()
}

/// Adds a line for each compile.
pub(crate) fn add_compiles(page: &mut Page, indent: &str, dearest: &[&CompileRecord]) {
    if dearest.is_empty() {
        return;
    }
    page.line(format_args!("{indent}the compiles that took the longest, with their memory:"));
    let cells: HashSet<&str> = dearest.iter().map(|record| record.cell.as_str()).collect();
    for record in dearest {
        let (wall, peak) = (human::duration(record.wall), record.peak_memory.to_string());
        let of = if cells.len() == 1 { String::new() } else { format!(" of {}", record.cell) };
        let source = format!("{}{of}", record.source);
        page.line(format_args!("{indent}  {wall:>8} {peak:>10}  {}", safe(&source)));
    }
}

/// What could not be checked about the wheels: a line for each check, with the cells that it
/// concerns unless these are all that have a wheel.
pub(crate) fn not_checked(cells: &[CellResult]) -> String {
    let good =
        |cell: &&CellResult| matches!(cell.outcome, CellOutcome::Built | CellOutcome::Stored);
    let with_wheels = cells.iter().filter(good).count();
    let mut checks: Vec<(&NotChecked, Vec<&str>)> = Vec::new();
    for cell in cells {
        for check in &cell.not_checked {
            match checks.iter_mut().find(|(known, _)| *known == check) {
                Some((_, concerned)) => concerned.push(&cell.cell),
                None => checks.push((check, vec![&cell.cell])),
            }
        }
    }
    let mut page = Page::new();
    for (check, concerned) in checks {
        let of = match concerned.len() == with_wheels {
            true => String::new(),
            false => format!(" of {}", concerned.join(", ")),
        };
        let label = "not checked:".style(style::warning());
        page.line(format_args!("{label} {}", safe(&format!("{}{of} ({})", check.what, check.why))));
    }
    page.finish()
}

/// Where each wheel lies, a line each.
pub(crate) fn wheel_paths(cells: &[CellResult]) -> String {
    let wheels = cells.iter().flat_map(|cell| cell.wheel.iter().chain(&cell.more_wheels));
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use wheelmill_mill::{CacheCount, Cause};
    use wheelmill_model::Phase;

    use super::*;

    fn failed() -> CellResult {
        let cell = "torchsort-0.1.10-cu130-torch2.11-cp311-sm90".to_owned();
        CellResult {
            wall: Duration::from_secs(108),
            peak_memory: Some(ByteSize(3 << 30)),
            failure: Some(Failure {
                cause: Cause::OutOfMemory,
                phase: Phase::Compile,
                message: "a compiler was killed for memory".to_owned(),
                fixes: vec!["give it more: `--memory 16GB`".to_owned(), "run fewer".to_owned()],
                lines: vec![
                    "\u{1b}[31mKilled\u{1b}[0m signal terminated program cc1plus".to_owned(),
                ],
                log: Some("/logs/1.log".into()),
            }),
            ..CellResult::new(cell, CellOutcome::Failed)
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_failed_cell_is_told_in_a_line_in_a_page_and_in_the_table() {
        let result = failed();
        let mut page = Page::new();
        page.line(cell_line(&result));
        page.line("");
        add_failure(&mut page, &result.cell, result.failure.as_ref().unwrap());
        page.line("");
        page.block(&summary(&[result]));
        assert_snapshot!(plain(&page.finish()), @r"
        failed     torchsort-0.1.10-cu130-torch2.11-cp311-sm90  1m 48s  out-of-memory

        error: torchsort-0.1.10-cu130-torch2.11-cp311-sm90 failed in compile: a compiler was killed for memory (out-of-memory)
            \u{1b}[31mKilled\u{1b}[0m signal terminated program cc1plus
          fix: give it more: `--memory 16GB`
          fix: run fewer
          log: /logs/1.log

        CELL                                         RESULT    TIME  SIZE  PEAK MEMORY
        torchsort-0.1.10-cu130-torch2.11-cp311-sm90  failed  1m 48s            3.0 GiB
        ");
    }

    #[test]
    fn the_longest_compiles_of_all_cells_are_told_and_short_ones_are_not() {
        let cell = |name: &str, compiles: &[(&str, f64)]| {
            let record = |&(source, seconds): &(&str, f64)| -> CompileRecord {
                serde_json::from_value(serde_json::json!({
                    "cell": name, "package": "p", "source": source, "language": "cuda",
                    "flags": "00000000000000000000000000000000", "compiler": "nvcc", "threads": 1,
                    "attempt": 1, "estimate-bytes": 0, "peak-memory-bytes": 700_u64 << 20,
                    "waited-seconds": 0.0, "started": "2026-11-23T00:00:00Z",
                    "wall-seconds": seconds, "cpu-seconds": seconds, "outcome": { "how": "success" },
                }))
                .unwrap()
            };
            let dearest_compiles = compiles.iter().map(record).collect();
            CellResult { dearest_compiles, ..failed() }
        };
        let one = cell("one", &[("/build/src/a.cu", 90.0), ("/build/src/b.cu", 0.4)]);
        assert_snapshot!(plain(&dearest_compiles(std::slice::from_ref(&one))), @r"
        the compiles that took the longest, with their memory:
            1m 30s    700 MiB  /build/src/a.cu
        ");
        let two = cell("two", &[("/build/src/c.cu", 100.0)]);
        assert_snapshot!(plain(&dearest_compiles(&[one, two])), @r"
        the compiles that took the longest, with their memory:
            1m 40s    700 MiB  /build/src/c.cu of two
            1m 30s    700 MiB  /build/src/a.cu of one
        ");
        assert_eq!(dearest_compiles(&[cell("none", &[])]), "");
    }

    #[test]
    fn what_the_cache_did_is_said_of_each_cell() {
        let count = CacheCount { hits: 14, misses: 2, not_cacheable: 0 };
        let cached = CellResult { compile_cache: Some(count), ..failed() };
        assert_eq!(
            plain(&compile_cache(std::slice::from_ref(&cached))),
            "compile cache: 14 of 16 compiles from the cache\n"
        );
        assert_eq!(
            plain(&compile_cache(&[cached, failed()])),
            "compile cache of torchsort-0.1.10-cu130-torch2.11-cp311-sm90: 14 of 16 compiles from \
             the cache\n"
        );
    }

    #[test]
    fn what_was_not_checked_is_said_once_and_of_whom() {
        let wheel = |cell: &str, checks: &[&str]| CellResult {
            cell: cell.to_owned(),
            outcome: CellOutcome::Built,
            not_checked: checks
                .iter()
                .map(|&what| NotChecked { what: what.to_owned(), why: "no GPU".to_owned() })
                .collect(),
            failure: None,
            ..failed()
        };
        let cells = [wheel("a", &["run", "import"]), wheel("b", &["run"]), failed()];
        assert_eq!(
            plain(&not_checked(&cells)),
            "not checked: run (no GPU)\nnot checked: import of a (no GPU)\n"
        );
        assert_eq!(not_checked(&[failed()]), "");
    }
}
