//! The server: listens for compilers, asks the policy, watches what they use.
//!
//! One thread owns everything and waits for sockets (`owner`); a second one reads the memory of
//! processes and control groups, which may take longer (`sampler`).

mod call;
mod connection;
mod error;
mod event;
mod explain;
mod handle;
mod kills;
mod owner;
mod sampler;
mod snapshot;
mod socket;

pub use error::ServerError;
pub use event::{CellSnapshot, GateEvent, RunningCompile, Snapshot};
pub use handle::{CellSettings, OpenCell, Server, ServerSettings};
