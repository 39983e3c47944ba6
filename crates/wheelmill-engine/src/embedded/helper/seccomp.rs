//! Which system calls a container's programs may make, and which only seem to work.
//!
//! Capabilities and namespaces keep a container in; refusing calls that no build needs takes a large
//! part of the kernel out of its reach beside that. And where only one identity exists, calls that
//! would give a file to another, or change to another, do nothing and succeed: package managers and
//! `tar` give what they unpack to its owner, and would fail over what nobody needs in a build.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::libc::{self, c_long, sock_filter};

use super::sys;
use crate::embedded::mode::Mode;
use crate::embedded::spec::{During as _, Failure, Operation, RunRequest};

/// `AUDIT_ARCH_*` of `linux/audit.h`: calls of another architecture have other numbers.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Where `struct seccomp_data` of `linux/seccomp.h` has the number of the call, the architecture,
/// and the lower half of the first argument (both architectures are little-endian).
const NUMBER: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// Numbers of calls from here on belong to the x32 interface, `asm/unistd.h`.
const X32: u32 = 0x4000_0000;

/// Refused. Docker refuses the same by default, and more.
const REFUSED: [c_long; 15] = [
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_fsopen,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
];

/// Refused with a flag for a new user namespace, in which one would be root with all capabilities.
const NAMESPACES: [c_long; 2] = [libc::SYS_clone, libc::SYS_unshare];

/// Only seem to work where there is one identity.
const FAKED: [c_long; 10] = [
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
];

/// Calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const FAKED_OLD: [c_long; 3] = [libc::SYS_chown, libc::SYS_lchown, libc::SYS_setuid];
#[cfg(not(target_arch = "x86_64"))]
const FAKED_OLD: [c_long; 1] = [libc::SYS_setuid];

/// Calls that `links` looks at.
#[cfg(target_arch = "x86_64")]
const LINKS: &[c_long] = &[libc::SYS_link, libc::SYS_linkat];
#[cfg(not(target_arch = "x86_64"))]
const LINKS: &[c_long] = &[libc::SYS_linkat];

/// What a filter does, beside refusing.
#[derive(Clone, Copy)]
struct Wishes {
    /// Changes of owners and identities seem to work.
    fake_owners: bool,
    /// Hard links are passed on.
    links: bool,
    /// There are no sockets but those between processes of this machine.
    no_network: bool,
}

/// Filters the calls of this process and its children from now on. It must have given up the right
/// to gain privileges. Where a descriptor comes back, hard links are made only when it is served;
/// this process must make none.
pub(super) fn filter(request: &RunRequest) -> Result<Option<OwnedFd>, Failure> {
    let namespaces = request.isolation.has_namespaces();
    let wishes = Wishes {
        fake_owners: namespaces && request.mode == Mode::Single,
        links: request.packages && request.mode.user_attributes() && request.root.host,
        no_network: !namespaces && !request.network,
    };
    let install = |wishes| sys::set_filter(&program(wishes), wishes.links);
    match install(wishes) {
        // A kernel that cannot ask us; all but the replacement of packages works without.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EBUSY) if wishes.links => {
            install(Wishes { links: false, ..wishes })
        }
        result => result,
    }
    .or_else(|errno| match errno {
        // A kernel without filters; what keeps a container in does not depend on them, but for the
        // network where there is no namespace.
        Errno::EINVAL | Errno::ENOSYS if !wishes.no_network => Ok(None),
        _ => Err(errno),
    })
    .during(|| Operation::Capabilities)
}

/// The filter, in the kernel's own language: seccomp(2), `linux/filter.h`.
fn program(wishes: Wishes) -> Vec<sock_filter> {
    let Wishes { fake_owners, links, no_network } = wishes;
    // Another architecture's calls, and those of x32, would be a way around the ban on sockets.
    let others = if no_network { error(libc::ENOSYS) } else { libc::SECCOMP_RET_ALLOW };
    let mut program =
        vec![load(ARCHITECTURE_AT), jump_if(ARCHITECTURE, 1, 0), result(others), load(NUMBER)];
    if no_network {
        let local = u32::try_from(libc::AF_UNIX).expect("a small number");
        program.extend([
            instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32, 0, 1),
            result(error(libc::ENOSYS)),
            skip_unless(libc::SYS_socket, 4),
            load(FIRST_ARGUMENT),
            jump_if(local, 1, 0),
            result(error(libc::EAFNOSUPPORT)),
            result(libc::SECCOMP_RET_ALLOW),
        ]);
    }
    for number in REFUSED {
        program.extend([skip_unless(number, 1), result(error(libc::EPERM))]);
    }
    // Its flags are in memory, where a filter cannot look. C libraries then use `clone`.
    program.extend([skip_unless(libc::SYS_clone3, 1), result(error(libc::ENOSYS))]);
    let new_user = u32::try_from(libc::CLONE_NEWUSER).expect("a flag is positive");
    for number in NAMESPACES {
        program.extend([
            skip_unless(number, 4),
            load(FIRST_ARGUMENT),
            instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, new_user, 0, 1),
            result(error(libc::EPERM)),
            result(libc::SECCOMP_RET_ALLOW),
        ]);
    }
    if fake_owners {
        for number in FAKED.into_iter().chain(FAKED_OLD) {
            program.extend([skip_unless(number, 1), result(error(0))]);
        }
    }
    for number in LINKS.iter().filter(|_| links) {
        program.extend([skip_unless(*number, 1), result(libc::SECCOMP_RET_USER_NOTIF)]);
    }
    program.push(result(libc::SECCOMP_RET_ALLOW));
    program
}

/// A call that does not happen: its error, or success when that is 0.
fn error(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | u32::try_from(number).expect("errors are positive")
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump_if(value: u32, equal: u8, different: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, equal, different)
}

/// Goes on with the next instruction for this call, and leaves some out for others.
fn skip_unless(number: c_long, skipped: u8) -> sock_filter {
    jump_if(u32::try_from(number).expect("numbers of calls are small"), 0, skipped)
}

fn result(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes have 16 bits"), jt, jf, k }
}
