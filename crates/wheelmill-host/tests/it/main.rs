//! What a machine's files and daemons look like before and after.

mod apply;
mod crash;
mod json;
mod machine;
mod plan;
