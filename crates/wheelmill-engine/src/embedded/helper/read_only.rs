//! The root of a container where no overlay can be mounted: the host's system folders as they are,
//! not to be changed.

use std::os::unix::fs::symlink;

use camino::{Utf8Path, Utf8PathBuf};
use nix::mount::{MsFlags, mount};

use super::bind::{Rights, bind, limit, open_mounted};
use crate::embedded::spec::{During as _, Failure, Operation};

/// Shows a folder of the host, read-only, on an empty one. Where something is to be mounted below
/// it that the host does not have, the folders on the way there are made anew, and what they hold is
/// shown piece by piece.
pub(super) fn show(host: &Utf8Path, place: &Utf8Path, wanted: &[&Utf8Path]) -> Result<(), Failure> {
    let missing: Vec<&Utf8Path> = wanted
        .iter()
        .filter(|path| path.starts_with(host) && path.symlink_metadata().is_err())
        .copied()
        .collect();
    if missing.is_empty() {
        return show_whole(host, place);
    }
    let named = || Operation::Bind { source: host.to_owned(), target: host.to_owned() };
    for entry in host.read_dir_utf8().during(named)? {
        let entry = entry.during(named)?;
        let kind = entry.file_type().during(named)?;
        let (source, target) = (entry.path(), place.join(entry.file_name()));
        if kind.is_dir() {
            fs_err::create_dir(&target).during(named)?;
            show(source, &target, &missing)?;
        } else if kind.is_symlink() {
            symlink(fs_err::read_link(source).during(named)?, &target).during(named)?;
        } else if kind.is_file() {
            fs_err::write(&target, "").during(named)?;
            show_whole(source, &target)?;
        }
    }
    Ok(())
}

fn show_whole(host: &Utf8Path, place: &Utf8Path) -> Result<(), Failure> {
    let shown = || -> nix::Result<()> {
        bind(host.as_std_path(), &open_mounted(place.as_std_path())?)?;
        limit(&open_mounted(place.as_std_path())?, Rights { write: false, devices: false })
    };
    shown().during(|| Operation::Bind { source: host.to_owned(), target: host.to_owned() })
}

/// Makes a folder the root of a file system, so that it can be changed to.
pub(super) fn make_mount(folder: &Utf8PathBuf) -> Result<(), Failure> {
    bind_again(folder, MsFlags::MS_BIND | MsFlags::MS_REC)
}

/// Takes the right to change the folder of [`make_mount`] itself, not what is mounted in it.
pub(super) fn close(folder: &Utf8PathBuf) -> Result<(), Failure> {
    let flags = MsFlags::MS_REMOUNT
        | MsFlags::MS_BIND
        | MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV;
    bind_again(folder, flags)
}

fn bind_again(folder: &Utf8PathBuf, flags: MsFlags) -> Result<(), Failure> {
    let path = folder.as_std_path();
    mount(Some(path), path, None::<&str>, flags, None::<&str>).during(|| Operation::Stage)
}
