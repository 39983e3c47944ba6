//! Sources that are not complete.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, compiling};
use super::text::between;

pub(super) const RULES: &[Rule] = &[Rule {
    cause: Cause::CompileError,
    when: compiling,
    parallel: true,
    signs: &[
        Sign::Has(&["ninja: error: '", ", missing and no known rule to make it"]),
        Sign::Has(&["make: *** No rule to make target '"]),
        Sign::Has(&["fatal error: ", ": No such file or directory"]),
        Sign::Has(&["Cannot find source file:"]),
    ],
    account: incomplete,
}];

/// What names of sources end with, so that a header is told from them.
const EXTENSIONS: &[&str] = &[".c", ".cc", ".cpp", ".cxx", ".cu", ".pyx", ".o", ".f90", ".rs"];

fn incomplete(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let (place, name) = places.iter().find_map(|&place| {
        let line = case.line(place);
        let name = between(line, "needed by '", "'")
            .and_then(|_| between(line, "error: '", "'"))
            .or_else(|| between(line, "to make target '", "'"))
            .or_else(|| between(line, "fatal error: ", ": No such file"))
            // CMake names it below, in a paragraph of its own.
            .or_else(|| {
                let below = place + 1..case.evidence.tail.len().min(place + 4);
                below.map(|below| case.line(below).trim()).find(|text| !text.is_empty())
            })?;
        EXTENSIONS.iter().any(|extension| name.ends_with(extension)).then_some((place, name))
    })?;
    let account = Account::new(format!(
        "The source does not have the file `{name}`, which the build wants to compile."
    ));
    let account = match case.folder() {
        Some(folder) => account.fix(format!(
            "Put it into `{folder}`, or take its name out of the files that say what to compile"
        )),
        None => account
            .fix(format!("The released source may lack it; {}", case.complete_source()))
            .fix(format!("Try another version of it: {}", case.plan(""))),
    };
    Some(account.also([place]))
}
