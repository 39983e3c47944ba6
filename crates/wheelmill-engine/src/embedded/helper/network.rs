//! The network of a container: none but loopback, or the host's.

use camino::Utf8Path;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::sys;
use crate::embedded::spec::{During as _, Failure, Operation};

/// The host name of every container.
pub(super) const HOST_NAME: &str = "wheelmill";

/// Brings the loopback device of a new network namespace up.
pub(super) fn start_loopback() -> Result<(), Failure> {
    let up = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).expect("two low bits");
    socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .and_then(|socket| sys::set_device_flags(socket, "lo", up))
        .during(|| Operation::Loopback)
}

/// The text of the container's `/etc/hosts`.
pub(super) fn hosts(network: bool) -> String {
    let own = format!("127.0.0.1 localhost {HOST_NAME}\n::1 localhost ip6-localhost\n");
    let host = network.then(|| fs_err::read_to_string("/etc/hosts").ok()).flatten();
    own + &host.unwrap_or_default()
}

/// The text of the container's `/etc/resolv.conf`. On the host it is often a link into `/run`,
/// which containers do not see.
pub(super) fn resolver(network: bool) -> String {
    let host = network.then(|| fs_err::read_to_string(Utf8Path::new("/etc/resolv.conf")).ok());
    host.flatten().unwrap_or_default()
}
