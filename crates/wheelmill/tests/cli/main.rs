//! The program as it is typed: what it prints on which stream, and how it ends.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod clean;
mod doctor;
mod fixture;
mod help;
mod host;
mod images;
mod layout;
mod mistakes;
mod plan;
mod runs;
mod verdict;
mod wheels;
