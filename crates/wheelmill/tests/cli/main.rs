//! The program as it is typed: what it prints on which stream, and how it ends.

mod fixture;
mod help;
mod mistakes;
mod plan;
mod runs;
mod wheels;
