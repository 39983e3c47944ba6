//! What Python prints when an exception ends a program.

use camino::Utf8Path;

use super::case::Case;
use super::text::{between, starts_with_any, word_after};
use crate::environment::paths;

/// Exceptions that only say that something below them failed.
const WRAPPERS: &[&str] = &[
    "RuntimeError: Error compiling objects for extension",
    "subprocess.CalledProcessError",
    "CalledProcessError",
    "distutils.errors.",
    "setuptools.errors.",
    "SystemExit",
];

/// The exception that ended a program.
pub(super) struct Exception {
    /// The line that names it.
    pub(super) place: usize,
    /// Where in the package's source it was raised, as `setup.py:4`.
    pub(super) raised_at: Option<String>,
}

/// The last exception that says something.
pub(super) fn last(case: &Case<'_>) -> Option<Exception> {
    let mut at = case.evidence.tail.len();
    while at > 0 {
        at -= 1;
        let line = case.line(at);
        if !line.trim_start().starts_with("Traceback (most recent call last)") {
            continue;
        }
        // The exception is the first line that is not indented more.
        let depth = indentation(line);
        let end = (at + 1..case.evidence.tail.len()).find(|&place| {
            let line = case.line(place);
            !line.trim().is_empty() && indentation(line) <= depth
        });
        let telling =
            end.filter(|&place| !starts_with_any(case.line(place).trim_start(), WRAPPERS));
        if let Some(place) = telling
            && !case.went_on_after(place, false)
        {
            return Some(Exception { place, raised_at: raised_at(case, at, place) });
        }
    }
    None
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The innermost frame of a traceback that is in the package's source.
fn raised_at(case: &Case<'_>, start: usize, end: usize) -> Option<String> {
    let mut found = None;
    let mut outer = "";
    for place in start..end {
        let Some(file) = between(case.line(place), "  File \"", "\"") else { continue };
        // setuptools runs a setup.py as a text without a name.
        let name = if file == "<string>" && outer.ends_with("setuptools/build_meta.py") {
            Some(case.evidence.subdirectory.unwrap_or(Utf8Path::new("")).join("setup.py"))
        } else {
            Utf8Path::new(file).strip_prefix(paths::SOURCE).ok().map(Utf8Path::to_owned)
        };
        let line = word_after(case.line(place), "\", line ");
        if let (Some(name), Some(line)) = (name, line) {
            found = Some(format!("{name}:{line}"));
        }
        outer = file;
    }
    found
}
