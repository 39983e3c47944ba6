//! The reference page of the two files.

mod page;
mod words;

pub use page::reference_markdown;
