//! How wide text may be.

use std::io;
use std::sync::OnceLock;

use terminal_size::{Width, terminal_size_of};

/// What `COLUMNS` says, which outranks what the terminals say.
static NAMED: OnceLock<Option<usize>> = OnceLock::new();

/// Takes the value of `COLUMNS`. Until then, as in unit tests, nothing limits the width.
pub(crate) fn begin(columns: Option<&str>) {
    let named = columns.and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    NAMED.get_or_init(|| named);
}

/// The width of what stdout leads to; none where it is no terminal, so that files and other
/// programs get whole lines.
pub(crate) fn stdout() -> Option<usize> {
    NAMED.get()?.or_else(|| terminal(terminal_size_of(io::stdout())))
}

/// The width of what stderr leads to; none where it is no terminal.
pub(crate) fn stderr() -> Option<usize> {
    NAMED.get()?.or_else(|| terminal(terminal_size_of(io::stderr())))
}

/// The width of the terminal behind stderr at this moment, for lines that are drawn anew: `COLUMNS`
/// would not know that the window was resized.
pub(super) fn live() -> usize {
    terminal(terminal_size_of(io::stderr())).unwrap_or(80)
}

fn terminal<T>(size: Option<(Width, T)>) -> Option<usize> {
    size.map(|(Width(width), _)| usize::from(width)).filter(|width| *width > 0)
}
