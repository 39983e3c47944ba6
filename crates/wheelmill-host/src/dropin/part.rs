//! The parts of a command, and what each is worth today.

use camino::Utf8Path;
use serde::Serialize;

/// A part of a drop-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// As it is written.
    pub text: String,
    /// What it does, in a sentence without a full stop.
    pub meaning: String,
    /// What to do with it today.
    pub today: String,
}

impl Part {
    pub(super) fn new(text: &str, meaning: &str, today: &str) -> Self {
        Self { text: text.to_owned(), meaning: meaning.to_owned(), today: today.to_owned() }
    }

    /// An option of `dockerd`, by its key in the file of settings.
    pub(super) fn option(text: &str, key: &str, value: &str) -> Self {
        let (meaning, today) = match key {
            "hosts" if value.starts_with("tcp://") => (
                "lets every program on this machine become root, and every web page in a browser \
                 on it; Docker will refuse it one day",
                "drop it; from another machine use `ssh://`",
            ),
            "hosts" => (
                "opens the unix socket, which the package's own command does with `-H fd://`",
                "drop it",
            ),
            "containerd" => ("is what the package's own command has", "drop it"),
            "bridge" => (
                "takes a bridge that somebody must have made: one made with `ip link` is gone \
                 after a reboot, and then Docker does not start",
                "write `bridge-address`; Docker makes its own bridge with it, every time",
            ),
            "storage-driver" if matches!(value, "overlay" | "aufs" | "devicemapper") => (
                "was needed for no disk, and is gone: Docker does not start with it since 24 or 25",
                "drop it; images that were made with it are not seen by another driver",
            ),
            "storage-driver" => (
                "fixes how images are kept, which Docker chooses well; from 29 on it hides those \
                 of the default",
                "drop it, unless images of this driver are there",
            ),
            "data-root" if Utf8Path::new(value).starts_with("/media") => (
                "is still right, but disks below /media are mounted when somebody logs in: a \
                 Docker that starts before begins anew on the system's own disk",
                "mount the disk by `/etc/fstab`, and write `data-root`",
            ),
            "data-root" => ("is still right", "write `data-root`"),
            "runtimes" if value.starts_with("nvidia=") => (
                "is still right; the program comes with `nvidia-container-toolkit` today",
                "write `nvidia-runtime`",
            ),
            _ => (
                "is an option of the daemon",
                "write it into /etc/docker/daemon.json, if it is still wanted",
            ),
        };
        Self::new(text, meaning, today)
    }
}
