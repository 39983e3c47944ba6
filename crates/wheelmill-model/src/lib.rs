//! The words of wheelmill: names, versions, tags, architectures and digests.
//!
//! Nothing here does I/O or reads the environment. Every type parses from and prints to the one
//! spelling that the command line, the project file, the store and `--json` share.

mod arch;
mod cell;
mod check;
mod digest;
mod driver;
mod name;
mod network;
mod phase;
mod size;
mod subnet;
mod tags;
mod time_limit;
mod version;

pub use arch::{ArchError, ArchList, ArchTarget, CudaArch, Feature};
pub use cell::{CellKey, RunId};
pub use check::CheckState;
pub use digest::{Digest, DigestBuilder, DigestError};
pub use driver::{DriverNeed, DriverVersion};
pub use name::{NameError, PackageName};
pub use network::{NetworkSettings, Secret};
pub use pep440_rs::{Version, VersionSpecifiers};
pub use phase::Phase;
pub use size::{ByteSize, SizeError};
pub use subnet::{InterfaceAddress, Subnet, SubnetError};
pub use tags::{TagError, WheelFilename, WheelTag};
pub use time_limit::TimeLimit;
pub use version::{CudaVersion, PythonVersion, TorchVersion, VersionError};
