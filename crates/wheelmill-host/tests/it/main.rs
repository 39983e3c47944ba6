//! What a machine's files and daemons look like before and after.

mod json;
mod plan;
