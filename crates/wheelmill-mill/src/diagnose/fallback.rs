//! What is said when no rule knows the failure.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::text::{cut, starts_with_any};
use super::traceback;

/// How much of a program's sentence a message repeats.
const SENTENCE: usize = 240;
/// How many of the last lines are shown when nothing better is known.
const LAST_LINES: usize = 6;

/// Errors that only say that something below them failed.
const WRAPPERS: &[&str] = &[
    "error: command '",
    "error: Command '",
    "error: Failed to build",
    "error: subprocess-exited-with-error",
    "error: metadata-generation-failed",
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
    let exception = traceback::last(case);
    let place = exception.iter().map(|it| it.place).chain(last_error(case)).max()?;
    let raised_at = exception.filter(|it| it.place == place).and_then(|it| it.raised_at);
    let sentence = cut(case.line(place).trim(), SENTENCE);
    let at = raised_at.iter().map(|at| format!(" at `{at}`")).collect::<String>();
    let message = format!("The build ended with `{}`{at}.", sentence.trim_end_matches('.'));
    let file = raised_at.and_then(|at| Some(case.folder()?.join(at)));
    let account = Account::new(message).fix_some(file.map(|file| format!("Look at `{file}`")));
    Some((Cause::BuildFailed, advise(case, account), vec![place]))
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
        .filter(|&place| !case.line(place).trim().is_empty() && !case.is_own(place))
        .take(LAST_LINES)
        .collect();
    let account = Account::new(message);
    let account = match case.evidence.exit {
        Some(exit) if is_killed(exit.code) => account
            .fix(format!("Nothing in the build is known to be wrong: {}", case.again("")))
            .fix(
                "If it happens again, see who does it: `docker events`, or `dmesg` for the kernel",
            ),
        _ => advise(case, account),
    };
    (Cause::BuildFailed, account, last)
}

/// Whether the code of a container says that somebody killed or stopped it.
pub(crate) const fn is_killed(code: i32) -> bool {
    matches!(code, 137 | 143)
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
        137 => ": it was killed from outside",
        139 => ", a crash",
        143 => ": it was stopped from outside",
        _ => "",
    }
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
