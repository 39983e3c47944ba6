//! JSON files of others, changed only where asked.
//!
//! A text is read into positions, and a change replaces the bytes of one value or puts a member
//! behind its neighbours. So order, indentation, ends of lines, unknown keys, numbers of any size
//! and escapes stay as they are, byte for byte. What `dockerd` refuses is refused: comments,
//! trailing data. Keys that occur twice are refused, too: `dockerd` takes the last one, and whoever
//! wrote the first does not know.

mod edit;
mod error;
mod reader;
mod style;
mod tree;

pub use edit::JsonText;
pub use error::JsonError;
