//! Tests of the crate from outside.

mod catalogue;
mod cells;
mod mistakes;
mod project;
mod reading;
mod schema;
