//! Tests of the crate from outside.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod catalogue;
mod cells;
mod machine_mistakes;
mod mistakes;
mod project;
mod reading;
mod schema;
