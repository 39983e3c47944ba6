//! Who is who in a user namespace.

use std::io;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid};

use crate::embedded::mode::{Mode, map_program};
use crate::embedded::spec::{During as _, Failure, Operation};

/// Maps the identities of a process that is in a new user namespace: the caller becomes its root.
pub(super) fn map_ids(mode: Mode, process: Pid) -> Result<(), Failure> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    match mode {
        Mode::Root { .. } => Ok(()),
        Mode::Single => {
            // Whoever may not set groups may map his own: he can drop none that denies him access.
            write(process, "setgroups", "deny")
                .and_then(|()| write(process, "uid_map", &format!("0 {uid} 1")))
                .and_then(|()| write(process, "gid_map", &format!("0 {gid} 1")))
        }
        Mode::Mapped { users, groups } => write_with("newuidmap", process, uid.as_raw(), users)
            .and_then(|()| write_with("newgidmap", process, gid.as_raw(), groups)),
    }
    .during(|| Operation::MapIds)
}

fn write(process: Pid, file: &str, text: &str) -> io::Result<()> {
    fs_err::write(format!("/proc/{process}/{file}"), text)
}

fn write_with(program: &str, process: Pid, own: u32, range: (u32, u32)) -> io::Result<()> {
    let path = map_program(program).ok_or(io::ErrorKind::NotFound)?;
    let (first, count) = range;
    let status = Command::new(path)
        .arg(process.to_string())
        .args(["0", &own.to_string(), "1"])
        .args(["1", &first.to_string(), &count.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    // It has said why on standard error, which is the container's.
    if status.success() { Ok(()) } else { Err(Errno::EPERM.into()) }
}

/// Waits for a process to end; 128 and the number of the signal when one killed it.
pub(super) fn wait_for(process: Pid) -> nix::Result<i32> {
    loop {
        match waitpid(process, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(128 + signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
