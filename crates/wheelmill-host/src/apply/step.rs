//! What is being done to the machine.

use camino::Utf8PathBuf;

/// Something that has just been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// What was missing is installed.
    Installed,
    /// The file is kept as it was.
    Kept(Utf8PathBuf),
    /// The new settings are good; by the daemon's own check, unless that could not be asked: why.
    Validated {
        /// Why the daemon could not be asked.
        unasked: Option<String>,
    },
    /// What is needed to take everything back is on the disk.
    Noted,
    /// The file has its new content.
    Replaced(Utf8PathBuf),
    /// The bridge is there.
    Bridged,
    /// systemd has read its units anew.
    UnitsRead,
    /// The daemon has taken its new settings.
    Reloaded,
    /// The daemon is being told to end and to start again.
    Restarting,
    /// The daemon was started again, and answers.
    Restarted,
    /// The daemon says that it is as wanted.
    Verified,
    /// The volume is there.
    VolumeMade(String),
    /// The files are as they were.
    Restored,
    /// Ours are taken out of a file; what somebody else wrote since stays.
    TakenOut(Utf8PathBuf),
}
