//! Names the cause of a failure and what to do about it, from how a command ended and what it
//! printed.
//!
//! [`diagnose`] walks tables of rules, one file for each family of causes, the most specific
//! first. A rule says which lines are signs of its cause and gives the account: what happened,
//! naming the subject that the lines name, and what to do. What a build printed and then went on
//! from does not count, see [`case`].

mod account;
mod case;
mod command;
mod compile;
mod compiler;
mod disk;
mod engine;
mod evidence;
mod failure;
mod fallback;
mod index;
mod library;
mod memory;
mod module;
mod network;
mod origin;
mod patch;
mod repair;
mod rule;
mod source;
mod text;
mod tool;
mod toolkit;
mod traceback;
mod verdict;

#[cfg(test)]
mod tests;

pub(crate) use evidence::{Admitted, Evidence, Lost};
pub use failure::{Cause, Failure};
pub(crate) use fallback::is_killed;
pub(crate) use rule::diagnose;
pub(crate) use verdict::RUNNING_ON_GPU;
