//! How wide text may be.

use std::io;

use terminal_size::{Width, terminal_size_of};

/// The width of the terminal behind stderr at this moment, for lines that are drawn anew: `COLUMNS`
/// would not know that the window was resized.
pub(super) fn live() -> usize {
    terminal(terminal_size_of(io::stderr())).unwrap_or(80)
}

fn terminal<T>(size: Option<(Width, T)>) -> Option<usize> {
    size.map(|(Width(width), _)| usize::from(width)).filter(|width| *width > 0)
}
