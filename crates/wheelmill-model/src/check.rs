//! How a check of a machine came out.

use serde::Serialize;

/// How a check came out; what matters most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// What is wanted does not go like this.
    Problem,
    /// It goes, with a drawback or a danger, or may go wrong.
    Warning,
    /// It could not be found out, and does not count as good.
    NotChecked,
    /// As it should be.
    Ok,
    /// It does not matter for what is wanted.
    NotApplicable,
}
