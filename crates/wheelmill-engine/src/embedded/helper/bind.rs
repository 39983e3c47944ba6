//! Showing one thing in two places, the second time with fewer rights.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, statvfs};

use super::sys::{self, MOUNT_NO_DEVICES, MOUNT_NO_SUID, MOUNT_READ_ONLY};

/// What may be done with what is mounted. No program gains rights from it in any case.
#[derive(Clone, Copy)]
pub(super) struct Rights {
    pub(super) write: bool,
    pub(super) devices: bool,
}

/// Mounts a file or folder, with all that is mounted below it, on a second place.
pub(super) fn bind(source: &Path, place: &OwnedFd) -> nix::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), name_of(place).as_str(), None::<&str>, flags, None::<&str>)
}

/// Limits what may be done with a mount and all mounts below it. `mounted` was opened after it was
/// mounted.
pub(super) fn limit(mounted: &OwnedFd, rights: Rights) -> nix::Result<()> {
    let read_only = if rights.write { 0 } else { MOUNT_READ_ONLY };
    let no_devices = if rights.devices { 0 } else { MOUNT_NO_DEVICES };
    match sys::add_mount_attributes(mounted, MOUNT_NO_SUID | read_only | no_devices) {
        Err(Errno::ENOSYS) => limit_each(mounted, rights),
        result => result,
    }
}

/// As [`limit`], before Linux 5.12: one mount after the other.
fn limit_each(mounted: &OwnedFd, rights: Rights) -> nix::Result<()> {
    let place = nix::fcntl::readlink(name_of(mounted).as_str())?;
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").map_err(|_| Errno::EIO)?;
    // In the order in which they were mounted: where one covers another, only the last is found.
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    for below in places.filter(|below| Path::new(below).starts_with(&place)) {
        let found = statvfs(below.as_str())?.flags();
        // In a user namespace, what is forbidden already must be forbidden again.
        let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NOSUID;
        for (has, flag) in [
            (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
            (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
            (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
            (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
            (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
            (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
        ] {
            flags.set(flag, found.contains(has));
        }
        if !rights.write {
            flags |= MsFlags::MS_RDONLY;
        }
        if !rights.devices {
            flags |= MsFlags::MS_NODEV;
        }
        mount(None::<&str>, below.as_str(), None::<&str>, flags, None::<&str>)?;
    }
    Ok(())
}

/// A path as `/proc/self/mountinfo` writes it: blanks and the like are octal.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

/// Opens what is mounted on a path of the host; only its name, which needs no right to read it.
pub(super) fn open_mounted(path: &Path) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}

/// A path by which the kernel finds what a descriptor names, whatever links lead there.
pub(super) fn name_of(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
