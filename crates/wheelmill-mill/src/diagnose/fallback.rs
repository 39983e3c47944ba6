//! What is said when no rule knows the failure.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::text::{cut, starts_with_any};

/// How much of a program's sentence a message repeats.
const SENTENCE: usize = 240;
/// How many of the last lines are shown when nothing better is known.
const LAST_LINES: usize = 6;

/// Errors that only say that something below them failed.
const WRAPPERS: &[&str] = &[
    "RuntimeError: Error compiling objects for extension",
    "subprocess.CalledProcessError",
    "CalledProcessError",
    "error: command '",
    "error: Command '",
    "error: Failed to build",
    "error: subprocess-exited-with-error",
    "error: metadata-generation-failed",
    "distutils.errors.",
    "setuptools.errors.",
    "ninja: build stopped",
    "SystemExit",
];

type Judgement = (Cause, Account, Vec<usize>);

/// The build was stopped: by the user or with the whole run.
pub(super) fn stopped(case: &Case<'_>) -> Option<Judgement> {
    case.evidence.exit.filter(|exit| exit.cancelled)?;
    let account = Account::new("The build was stopped.").fix(format!("Go on: {}", case.again("")));
    Some((Cause::BuildFailed, account, Vec::new()))
}

/// The last error that says something.
pub(super) fn definite(case: &Case<'_>) -> Option<Judgement> {
    let place = last_exception(case).into_iter().chain(last_error(case)).max()?;
    let sentence = cut(case.line(place).trim(), SENTENCE);
    let message = format!("The build ended with `{}`.", sentence.trim_end_matches('.'));
    Some((Cause::BuildFailed, advise(case, Account::new(message)), vec![place]))
}

/// All that is known is that it failed.
pub(super) fn vague(case: &Case<'_>) -> Judgement {
    let message = match case.evidence.exit {
        None => format!("The {} phase failed.", case.evidence.phase),
        Some(exit) => format!(
            "The command of the {} phase ended with exit code {}{}.",
            case.evidence.phase,
            exit.code,
            signal(exit.code)
        ),
    };
    let end = case.evidence.tail.len();
    let last = (0..end)
        .rev()
        .filter(|&place| !case.line(place).trim().is_empty())
        .take(LAST_LINES)
        .collect();
    (Cause::BuildFailed, advise(case, Account::new(message)), last)
}

fn advise(case: &Case<'_>, account: Account) -> Account {
    account.fix("Read the whole log: `wheelmill runs logs`").fix(format!(
        "See how the recipe builds it: `wheelmill recipes show {}`",
        case.evidence.package
    ))
}

fn signal(code: i32) -> &'static str {
    match code {
        132 => ", an illegal instruction",
        134 => ", an abort",
        137 => ", a kill from outside",
        139 => ", a crash",
        143 => ", a request to end from outside",
        _ => "",
    }
}

/// The last line of the last Python traceback: the first behind it that is not indented more.
fn last_exception(case: &Case<'_>) -> Option<usize> {
    let mut at = case.evidence.tail.len();
    while at > 0 {
        at -= 1;
        let line = case.line(at);
        if !line.trim_start().starts_with("Traceback (most recent call last)") {
            continue;
        }
        let depth = indentation(line);
        let end = (at + 1..case.evidence.tail.len()).find(|&place| {
            let line = case.line(place);
            !line.trim().is_empty() && indentation(line) <= depth
        });
        let telling =
            end.filter(|&place| !starts_with_any(case.line(place).trim_start(), WRAPPERS));
        if telling.is_some_and(|place| !case.went_on_after(place, false)) {
            return telling;
        }
    }
    None
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The last line that says `error: …` or CMake's words for it, and what it is.
fn last_error(case: &Case<'_>) -> Option<usize> {
    (0..case.evidence.tail.len()).rev().find_map(|place| {
        let line = case.line(place).trim_start();
        if line.starts_with("CMake Error") {
            // The sentence stands below the place, after an empty line or none.
            let below = place + 1..case.evidence.tail.len().min(place + 4);
            let sentence = below.clone().find(|&below| !case.line(below).trim().is_empty());
            return sentence.filter(|_| line.ends_with(':')).or(Some(place));
        }
        let error = starts_with_any(line, &["error: ", "ERROR: ", "Error: ", "fatal: "]);
        (error && !starts_with_any(line, WRAPPERS) && !line.starts_with("ERROR: Failed"))
            .then_some(place)
    })
}
