//! Patches of the recipe that do not apply.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, always};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[Rule {
    cause: Cause::PatchFailed,
    when: always,
    parallel: false,
    signs: &[
        Sign::Starts(&["Hunk #", " FAILED at "]),
        Sign::Has(&[" out of ", " FAILED"]),
        Sign::Has(&[" out of ", " ignored"]),
        Sign::Starts(&["can't find file to patch"]),
        Sign::Starts(&["Reversed (or previously applied) patch detected"]),
        Sign::Has(&["malformed patch at line "]),
        Sign::Starts(&["error: patch failed: "]),
        Sign::Starts(&["error: corrupt patch at line "]),
        Sign::Has(&[": patch does not apply"]),
    ],
    account: refused,
}];

fn refused(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let lines = || places.iter().map(|&place| case.line(place));
    // `patching file setup.py` stands above the hunks that failed.
    let first = *places.first()?;
    let patching = (0..first).rev().find(|&place| case.line(place).starts_with("patching file "));
    let missing = lines().any(|line| line.starts_with("can't find file to patch"));
    let target = (first..case.evidence.tail.len()).take(8).find_map(|place| {
        between(case.line(place), "|--- a/", "\t")
            .or_else(|| word_after(case.line(place), "|--- a/"))
    });
    let file = match (missing, patching) {
        (true, _) => target,
        (false, Some(place)) => word_after(case.line(place), "patching file "),
        (false, None) => lines().find_map(|line| {
            word_after(line, "error: patch failed: ").and_then(|place| place.split(':').next())
        }),
    };
    let hunk = lines().find_map(|line| between(line, "Hunk ", " FAILED"));
    let reversed = lines().any(|line| line.starts_with("Reversed "));
    let malformed = lines().any(|line| line.contains("malformed") || line.contains("corrupt"));
    let subject = file.map(|file| format!(" to `{file}`")).unwrap_or_default();
    let message = if missing {
        let file = file.map(|file| format!(" `{file}`")).unwrap_or_default();
        format!("A patch of the recipe changes a file{file} that this source does not have.")
    } else if reversed {
        format!(
            "A patch of the recipe is in this source already{}.",
            subject.replace(" to ", ", in ")
        )
    } else if malformed {
        "A patch of the recipe is damaged.".to_owned()
    } else {
        let hunk = hunk.map(|hunk| format!(" (hunk {hunk})")).unwrap_or_default();
        format!(
            "A patch of the recipe does not apply{subject}{hunk}: the source has changed there."
        )
    };
    let package = case.evidence.package;
    Some(
        Account::new(message)
            .fix(format!("See which patches the recipe has: `wheelmill recipes show {package}`"))
            .fix(format!(
                "Make the patch anew for this version, or take it out of `patches` in {}",
                case.table("source")
            ))
            .also(patching),
    )
}
