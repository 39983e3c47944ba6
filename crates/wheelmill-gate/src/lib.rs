//! Admission of compilers by processors and memory, across all cells that are built on a machine.

mod program;
pub mod protocol;

pub use program::{Behind, ProgramError, write_program};
