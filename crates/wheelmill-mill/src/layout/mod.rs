//! Cells that are built by images of the user's own: what they resolve to, and where each stands.

mod cell;
mod lock;
mod planner;

pub use cell::ImageCell;
pub(crate) use cell::ImageGround;
pub(crate) use lock::{ImageLock, key, wheel_key};
pub(crate) use planner::stored;

/// What to do about a daemon that is not there, where doing without one is no way out.
pub(crate) fn daemon_fix(fix: &str) -> String {
    let (start, _) = fix.split_once(", or build without a daemon").unwrap_or((fix, ""));
    start.to_owned()
}

/// Where an image's containers see the volume that wheels are left in.
pub(crate) const BUILDS: &str = "/builds";

/// The label by which an image names its installer.
pub(crate) const INSTALLER_LABEL: &str = "dev.wheelmill.installer";

/// The name of an installer that no label names, somewhere below [`INSTALLERS`].
pub(crate) const INSTALLER_NAME: &str = "installer.sh";

/// The folder that is searched for it.
pub(crate) const INSTALLERS: &str = "/opt";
