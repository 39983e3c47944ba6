//! System calls that no crate wraps safely, each in the narrowest safe function.
#![allow(unsafe_code, reason = "these calls have no safe wrapper in nix or std")]

use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::{ForkResult, Pid};

/// Closes every file above the standard three. To be called before anything is opened: it closes
/// files that other parts of the process may believe to own.
pub(super) fn close_inherited_files() {
    // SAFETY: the caller has just started and owns no files above the standard three, so nothing
    // in this process holds a descriptor that becomes invalid.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if result == 0 {
        return;
    }
    // Before Linux 5.9. The folder that is being read is among the descriptors; closing it while
    // iterating would be wrong, so the numbers are collected first.
    let numbers: Vec<i32> = fs_err::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        // SAFETY: as above; a number that is no longer open gives an error, which is harmless.
        unsafe { libc::close(number) };
    }
}

/// Forks. Only for processes with one thread.
pub(super) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the helper process never starts a thread, so the child finds no lock held by a
    // thread that does not exist in it.
    unsafe { nix::unistd::fork() }
}

/// Forks into new namespaces. Only for processes with one thread.
pub(super) fn fork_into(namespaces: CloneFlags) -> nix::Result<ForkResult> {
    let flags = i64::from(namespaces.bits()) | i64::from(libc::SIGCHLD);
    // SAFETY: without CLONE_VM and a stack of its own, clone is fork: the child goes on with a copy
    // of this process's memory. There is one thread, as for `fork`. The order of the arguments
    // differs between architectures, but all after the flags are null.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0_i64, 0_i64, 0_i64, 0_i64) };
    match Errno::result(result)? {
        0 => Ok(ForkResult::Child),
        child => Ok(ForkResult::Parent {
            child: Pid::from_raw(i32::try_from(child).expect("process numbers fit 32 bits")),
        }),
    }
}

/// Gives every signal its default meaning back: ignored signals are inherited over `execve`, and
/// Rust programs ignore SIGPIPE.
pub(super) fn reset_signals() {
    for signal in Signal::iterator() {
        // SAFETY: the default action runs no code of this program. KILL and STOP give an error,
        // which is harmless.
        let _ = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
    }
}

/// Attributes of mounts that can be changed together, see mount_setattr(2).
pub(super) const MOUNT_READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub(super) const MOUNT_NO_SUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub(super) const MOUNT_NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// Adds attributes to a mount and to all mounts below it.
pub(super) fn add_mount_attributes(mount: impl AsFd, attributes: u64) -> nix::Result<()> {
    let change =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the descriptor is open for the length of the call, the path is an empty C string, and
    // the structure is initialised and of the given size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}

/// Sets the flags of a network device of this network namespace.
pub(super) fn set_device_flags(socket: impl AsFd, name: &str, flags: i16) -> nix::Result<()> {
    // SAFETY: the structure is plain numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags = flags;
    // SAFETY: the structure outlives the call, and its name ends with a zero.
    let result =
        unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Errno::result(result).map(drop)
}

/// Takes a capability away from what this process and its children can ever have.
pub(super) fn drop_bounding_capability(number: u32) -> nix::Result<()> {
    // SAFETY: takes only numbers.
    let result =
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
    Errno::result(result).map(drop)
}

/// Sets the capabilities of this process; those that `execve` passes on are cleared.
pub(super) fn set_capabilities(wanted: u64) -> nix::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`: two words of 32 capabilities.
    const VERSION: u32 = 0x2008_0522;
    let header = Header { version: VERSION, pid: 0 };
    let word = |bits: u64| {
        let bits = u32::try_from(bits & u64::from(u32::MAX)).expect("masked to 32 bits");
        Data { effective: bits, permitted: bits, inheritable: 0 }
    };
    let data = [word(wanted), word(wanted >> 32)];
    // SAFETY: both structures have the kernel's layout for this version and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Makes a filter decide over every system call of this process and its children. Where
/// `listening`, calls that the filter passes on are received through the descriptor that comes back.
pub(super) fn set_filter(
    program: &[libc::sock_filter],
    listening: bool,
) -> nix::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let flags = if listening { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    // SAFETY: the kernel copies the program, of the given length, during the call, and writes
    // nothing to it.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    };
    let listener = i32::try_from(Errno::result(result)?).expect("descriptors have 32 bits");
    // SAFETY: with that flag, a new descriptor was made by the call, which nothing else owns.
    Ok(listening.then(|| unsafe { OwnedFd::from_raw_fd(listener) }))
}

/// A system call of another process that waits for an answer.
pub(super) struct Call {
    id: u64,
    pub(super) process: u32,
    pub(super) number: libc::c_long,
    pub(super) arguments: [u64; 5],
}

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The kernel does it.
    GoOn,
    /// It was done.
    Done,
    /// It fails.
    Fail(Errno),
}

/// Receives a call that the filter has passed on.
pub(super) fn receive_call(listener: impl AsFd) -> nix::Result<Call> {
    // SAFETY: the structure is plain numbers; the kernel wants it to be zero.
    let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is the one that this request fills, and outlives the call.
    let result = unsafe {
        libc::ioctl(listener.as_fd().as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice)
    };
    Errno::result(result)?;
    let [first, second, third, fourth, fifth, _] = notice.data.args;
    Ok(Call {
        id: notice.id,
        process: notice.pid,
        number: notice.data.nr.into(),
        arguments: [first, second, third, fourth, fifth],
    })
}

/// An error when the caller no longer waits, and its process number may be another's.
pub(super) fn is_waiting(listener: impl AsFd, call: &Call) -> nix::Result<()> {
    // SAFETY: this request reads one number, which outlives the call.
    let result = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            &raw const call.id,
        )
    };
    Errno::result(result).map(drop)
}

/// Lets a waiting process go on.
pub(super) fn answer_call(listener: impl AsFd, call: &Call, answer: Answer) -> nix::Result<()> {
    let go_on = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).expect("the lowest bit");
    let (error, flags) = match answer {
        Answer::GoOn => (0, go_on),
        Answer::Done => (0, 0),
        Answer::Fail(errno) => (-(errno as i32), 0),
    };
    let response = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
    // SAFETY: the structure is the one that this request reads, and outlives the call.
    let result = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const response,
        )
    };
    Errno::result(result).map(drop)
}
