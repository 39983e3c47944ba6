//! The store from the outside: what it keeps, what it survives, and how it refuses.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(clippy::print_stderr, reason = "a test says aloud what it skips, a helper what it did")]

mod crash;
mod fixture;
mod helper;
mod history;
mod machine;
mod opening;
mod sharing;
mod wheels;
