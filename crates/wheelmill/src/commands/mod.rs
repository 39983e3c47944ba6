//! One file for each command: what was typed, what it means, the one call, what is printed.

pub(crate) mod build;
mod cells;
pub(crate) mod clean;
pub(crate) mod completions;
mod confirm;
pub(crate) mod doctor;
mod findings;
pub(crate) mod generate_docs;
pub(crate) mod host;
pub(crate) mod images;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod recipes;
pub(crate) mod runs;
pub(crate) mod shell;
pub(crate) mod verify;
pub(crate) mod wheels;
