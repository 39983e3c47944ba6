//! The process of a daemon, as far as a plain user may look at it: its command line is open to
//! everybody, its folders and variables are not.

use std::os::unix::net::UnixStream;

use camino::Utf8Path;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

const PROGRAM: &str = "dockerd";

/// The number of the `dockerd` that listens at a socket. Where systemd made the socket, it is the
/// only `dockerd` of the machine, if there is just one.
pub(super) fn at(socket: &Utf8Path) -> Option<i32> {
    let stream = UnixStream::connect(socket).ok()?;
    let peer = getsockopt(&stream, PeerCredentials).ok()?.pid();
    if is_daemon(peer) {
        return Some(peer);
    }
    // Only systemd hands sockets on. Any other program at the other end is the daemon itself.
    if name(peer).as_deref() != Some("systemd") {
        return None;
    }
    let entries = Utf8Path::new("/proc").read_dir_utf8().ok()?.flatten();
    let mut found =
        entries.filter_map(|entry| entry.file_name().parse().ok()).filter(|id| is_daemon(*id));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The arguments of a process, without its name.
pub(super) fn arguments(id: i32) -> Option<Vec<String>> {
    let bytes = fs_err::read(format!("/proc/{id}/cmdline")).ok()?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Some(words.skip(1).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

fn is_daemon(id: i32) -> bool {
    name(id).as_deref() == Some(PROGRAM)
}

fn name(id: i32) -> Option<String> {
    let text = fs_err::read_to_string(format!("/proc/{id}/comm")).ok()?;
    Some(text.trim().to_owned())
}
