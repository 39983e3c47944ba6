//! What can be wrong with a JSON file.

/// A text that cannot be read, or not be changed as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A place in the text is wrong.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A key holds something else than the table that is to be changed in it.
    #[error("line {line}, column {column}: `{key}` is not an object")]
    NotAnObject {
        /// The key, with dots between its parts.
        key: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
}

impl JsonError {
    /// An error at a place, given in bytes.
    pub(super) fn at(text: &str, offset: usize, reason: impl Into<String>) -> Self {
        let (line, column) = place(text, offset);
        Self::Syntax { line, column, reason: reason.into() }
    }
}

/// Line and column of an offset in bytes, both from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
