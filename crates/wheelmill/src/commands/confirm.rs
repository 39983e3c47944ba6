//! Asks before something is removed.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::error::CliError;
use crate::output::talk;

/// Whether there is somebody who can be asked.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal()
}

/// That nobody can be asked whether to remove something.
pub(super) fn nobody(what: &str) -> CliError {
    CliError::usage(format!("nobody is there to be asked whether to remove {what}"))
        .hint("say it beforehand: `--yes`")
}

/// Asks a question whose answer is no, unless it is yes.
///
/// # Errors
/// The answer cannot be read.
pub(super) fn ask(question: &str) -> Result<bool, CliError> {
    talk(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
