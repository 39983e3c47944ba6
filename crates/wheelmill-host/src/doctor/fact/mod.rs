//! What is so on a machine, gathered once.

mod cdi;
mod daemon;
mod disk;
mod facts;
mod process;
pub(super) mod toolkit;
mod trial;
mod user;

pub use cdi::CdiFile;
pub use daemon::{DaemonFacts, DaemonState, SettingsFile};
pub use disk::WorkFolder;
pub use facts::Facts;
pub use toolkit::Toolkit;
pub use trial::GpuTrial;
pub use user::User;
