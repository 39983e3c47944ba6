//! The few styles that the program uses, each with one meaning.

use owo_colors::Style;
use wheelmill_model::CheckState;

/// Done, good, there.
pub(crate) const fn good() -> Style {
    Style::new().green()
}

/// Failed.
pub(crate) const fn bad() -> Style {
    Style::new().red().bold()
}

/// Works, but look.
pub(crate) const fn warning() -> Style {
    Style::new().yellow().bold()
}

/// What is going on.
pub(crate) const fn active() -> Style {
    Style::new().cyan()
}

/// Of less weight.
pub(crate) const fn dim() -> Style {
    Style::new().dimmed()
}

/// A title, or the word that a line is about.
pub(crate) const fn strong() -> Style {
    Style::new().bold()
}

/// How a check came out, as everybody reads it.
pub(crate) const fn state(state: CheckState) -> (&'static str, Style) {
    match state {
        CheckState::Problem => ("problem", bad()),
        CheckState::Warning => ("warning", warning()),
        CheckState::NotChecked => ("not checked", warning()),
        CheckState::Ok => ("ok", good()),
        CheckState::NotApplicable => ("not needed", dim()),
    }
}
