//! Removing folders that hold files of users which only exist in a user namespace.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use camino::Utf8PathBuf;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, pipe2};

use super::{entry, namespace, sys};
use crate::embedded::mode::Mode;
use crate::embedded::spec::{During as _, Ended, Event, Failure, Operation};
use crate::image::remove_tree;

/// Removes folders as the root of the user namespace in which they were made.
pub(super) fn run(mode: Mode, folders: &[Utf8PathBuf], mut caller: UnixStream) {
    let event = remove(mode, folders)
        .map_or_else(Event::Failed, |code| Event::Ended(Ended { code, ..Ended::default() }));
    entry::tell(&mut caller, &event);
}

/// Returns 0 when all are gone, or else the number of the error.
fn remove(mode: Mode, folders: &[Utf8PathBuf]) -> Result<i32, Failure> {
    let go = pipe2(OFlag::O_CLOEXEC).during(|| Operation::Namespaces)?;
    let namespaces = if mode.is_user() { CloneFlags::CLONE_NEWUSER } else { CloneFlags::empty() };
    match sys::fork_into(namespaces).during(|| Operation::Namespaces)? {
        ForkResult::Child => {
            drop(go.1);
            let mut result = File::from(go.0).read_exact(&mut [0]);
            for folder in folders {
                result = result.and_then(|()| remove_tree(folder.as_std_path()));
            }
            entry::leave(result.map_or_else(|error| error.raw_os_error().unwrap_or(1), |()| 0))
        }
        ForkResult::Parent { child } => {
            drop(go.0);
            namespace::map_ids(mode, child)?;
            File::from(go.1).write_all(b"g").during(|| Operation::Namespaces)?;
            namespace::wait_for(child).during(|| Operation::Namespaces)
        }
    }
}
