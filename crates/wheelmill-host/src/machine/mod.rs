//! Reads what the machine is; changes nothing.

mod filesystem;
mod found;
mod network;
mod options;
mod process;
mod route;
mod start;

pub use filesystem::{FileSystem, Suitability};
pub use found::{DaemonKind, Machine, MachineError};
pub(crate) use found::{said, settings_file};
pub use network::BridgeKeeper;
pub use options::DaemonOptions;
pub use process::DaemonProcess;
pub(crate) use process::is_executable;
pub use route::Route;
pub(crate) use start::escaped;
