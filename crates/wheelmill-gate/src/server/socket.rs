//! Sockets with any path.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};

use camino::Utf8Path;
use nix::sys::socket::{getsockopt, sockopt};

/// The longest path that an address of a socket holds, with its final zero; see unix(7).
const LONGEST_ADDRESS: usize = 107;

/// Listens at a path. What an earlier server left there is replaced.
///
/// Who can reach the path may connect: in a container the build may run as any user.
pub(super) fn listen(path: &Utf8Path) -> io::Result<UnixListener> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = bind(path)?;
    listener.set_nonblocking(true)?;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

fn bind(path: &Utf8Path) -> io::Result<UnixListener> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    if path.as_str().len() <= LONGEST_ADDRESS {
        return UnixListener::bind(path);
    }
    // A descriptor makes any folder's path short.
    let folder = fs_err::File::open(folder)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// The process that connected, as this one sees it. None when it is in a place that cannot be seen.
pub(super) fn peer(stream: &UnixStream) -> Option<i32> {
    getsockopt(stream, sockopt::PeerCredentials)
        .ok()
        .map(|credentials| credentials.pid())
        .filter(|&process| process > 0)
}
