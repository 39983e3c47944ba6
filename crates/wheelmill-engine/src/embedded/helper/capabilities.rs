//! What a container's root may do.

use nix::sys::prctl;

use super::sys;
use crate::embedded::spec::{During as _, Failure, Operation};

/// The numbers of the capabilities that a command keeps, `linux/capability.h`: what Docker gives by
/// default, but without MKNOD. No device made in a container could be opened anyhow, and a root
/// that can make one for the host's disk is one mistake away from the host.
const KEPT: [u32; 13] = [
    0,  // CHOWN
    1,  // DAC_OVERRIDE
    3,  // FOWNER
    4,  // FSETID
    5,  // KILL
    6,  // SETGID
    7,  // SETUID
    8,  // SETPCAP
    10, // NET_BIND_SERVICE
    13, // NET_RAW
    18, // SYS_CHROOT
    29, // AUDIT_WRITE
    31, // SETFCAP
];

/// Gives up all other capabilities for ever, and with them the right to gain any by executing a
/// file.
pub(super) fn give_up() -> Result<(), Failure> {
    let kept = KEPT.iter().fold(0_u64, |bits, number| bits | (1 << number));
    for number in (0..64).filter(|number| kept & (1_u64 << number) == 0) {
        match sys::drop_bounding_capability(number) {
            Ok(()) => {}
            // The kernel knows no capability of this number, and so none above.
            Err(nix::errno::Errno::EINVAL) => break,
            Err(errno) => return Err(errno).during(|| Operation::Capabilities),
        }
    }
    sys::set_capabilities(kept).during(|| Operation::Capabilities)?;
    prctl::set_no_new_privs().during(|| Operation::Capabilities)
}
