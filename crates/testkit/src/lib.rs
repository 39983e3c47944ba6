//! Fixtures and fakes shared by wheelmill's tests.

mod daemon;
mod index;
mod layout;
mod package;
mod recorded;

pub use daemon::{Daemon, DaemonProgram, DaemonSetup};
pub use index::PackageIndex;
pub use layout::{write_context, write_dockerfile};
pub use package::{source_archive, write_ninja_package, write_tiny_package};
pub use recorded::RecordedDaemon;
