//! Admission of compilers by processors and memory, across all cells that are built on a machine.

mod forecast;
mod learned;
mod machine;
pub mod policy;
mod probe;
mod program;
pub mod protocol;
mod record;
mod server;
mod trace;

pub use learned::{Estimate, Grade, Learned};
pub use probe::is_probe;
pub use program::{Behind, CompileCache, ProgramError, write_program};
pub use protocol::CacheUse;
pub use record::{CompileRecord, FlagsDigest, FlagsDigestError, Outcome, Taken};
pub use server::{
    CellSettings, CellSnapshot, GateEvent, OpenCell, RunningCompile, Server, ServerError,
    ServerSettings, Snapshot,
};
pub use trace::{TraceError, write_trace};
