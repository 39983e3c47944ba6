//! What was probably meant by a command line that cannot be read.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Adds what to type to the mistakes that are near: `wheels NAME` for `wheels show NAME`.
pub(crate) fn suggest(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(command) = instead(&error)
    {
        error.remove(ContextKind::SuggestedSubcommand);
        let tip = StyledStr::from(format!("did you mean `{command}`?"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// The command that takes this word, where the word stands in the place of a subcommand.
fn instead(error: &clap::Error) -> Option<String> {
    let ContextValue::String(word) = error.get(ContextKind::InvalidSubcommand)? else {
        return None;
    };
    // A misspelled command is told by clap; what names a run is none.
    let names_run = word == "last" || word.starts_with(|letter: char| letter.is_ascii_digit());
    if !names_run && error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let usage = error.get(ContextKind::Usage)?.to_string();
    ["runs", "wheels", "recipes"]
        .into_iter()
        .find(|group| usage.contains(&format!("wheelmill {group} ")))
        .map(|group| format!("wheelmill {group} show {word}"))
}
