//! What a machine's files and daemons look like before and after.

mod apply;
mod bridge;
mod crash;
mod doctor;
mod json;
mod machine;
mod network;
mod plan;
