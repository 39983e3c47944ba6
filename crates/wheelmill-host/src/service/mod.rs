//! What starts and stops a daemon: systemd, or whoever started the process by hand.

mod error;
mod fatal;
mod kind;
mod manager;
mod process;
mod systemd;

pub use error::ServiceError;
pub(crate) use fatal::{fatal, tells};
pub use kind::ServiceKind;
pub(crate) use kind::main_process;
pub use manager::ServiceManager;
pub use process::ProcessService;
pub use systemd::SystemdService;
