//! Hard links to files of the host, which only a copy can stand for.
//!
//! Before a package manager replaces a file, it links the old one to another name. In a user
//! namespace the host's files belong to nobody, and the kernel refuses to link a file that one may
//! not write. So such calls of a step that installs packages come here first: what may be linked
//! is, by the kernel; of what may not, a copy is made. Everything is done with the rights of the
//! container, so nothing is gained by deceiving this code.

use std::ffi::{CStr, OsStr};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, openat};
use nix::libc;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::Mode as Bits;
use nix::unistd::{AccessFlags, faccessat};

use super::sys::{self, Answer, Call};

/// The longest path that the kernel takes, with its final zero.
const LONGEST_PATH: usize = 4096;

/// `AT_FDCWD` as a register has it: relative to the working directory.
const HERE: u64 = u32::MAX as u64 - 99;

/// How long to wait for a call before looking whether processes have ended, in milliseconds.
const PAUSE: u8 = 20;

/// Waits for a call, not for long, and answers it.
pub(super) fn answer_next(listener: &OwnedFd) {
    let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    if !matches!(poll(&mut waiting, PAUSE), Ok(1..)) {
        return;
    }
    // A caller that was killed meanwhile needs no answer.
    let Ok(call) = sys::receive_call(listener) else { return };
    // Whatever is wrong with the call, the kernel finds too.
    let answer = stand_in(listener, &call).unwrap_or(Answer::GoOn);
    let _ = sys::answer_call(listener, &call, answer);
}

/// Makes a copy where a link is refused; else, lets the call happen.
fn stand_in(listener: &OwnedFd, call: &Call) -> io::Result<Answer> {
    let process = Path::new("/proc").join(call.process.to_string());
    if process.join("root").read_link()? != Path::new("/") {
        return Ok(Answer::GoOn);
    }
    let memory = File::open(process.join("mem"))?;
    let [first, second, third, fourth, fifth] = call.arguments;
    let (from, to, flags) = if call.number == libc::SYS_linkat {
        ((first, second), (third, fourth), fifth)
    } else {
        ((HERE, first), (HERE, second), 0)
    };
    if flags != 0 {
        return Ok(Answer::GoOn);
    }
    let place = |(folder, path): (u64, u64)| -> io::Result<PathBuf> {
        let path = string(&memory, path)?;
        // Descriptors have 32 bits; what else is in the register does not count.
        let folder = match folder & u64::from(u32::MAX) {
            HERE => process.join("cwd"),
            number => process.join("fd").join(number.to_string()),
        };
        // An absolute path replaces the folder.
        Ok(folder.join(path))
    };
    let (from, to) = (place(from)?, place(to)?);
    // Not a file of another process that has the number by now.
    sys::is_waiting(listener, call)?;
    copy_if_refused(&from, &to)
}

fn copy_if_refused(from: &Path, to: &Path) -> io::Result<Answer> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = File::from(open(from, flags, Bits::empty())?);
    let found = file.metadata()?;
    let named = format!("/proc/self/fd/{}", file.as_raw_fd());
    let writable =
        faccessat(AT_FDCWD, named.as_str(), AccessFlags::W_OK, AtFlags::AT_EACCESS).is_ok();
    if writable || !found.is_file() {
        return Ok(Answer::GoOn);
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let copy = match openat(AT_FDCWD, to, flags, Bits::from_bits_truncate(0o600)) {
        Ok(copy) => File::from(copy),
        Err(errno) => return Ok(Answer::Fail(errno)),
    };
    let fill = || {
        io::copy(&mut &file, &mut &copy)?;
        copy.set_permissions(Permissions::from_mode(found.mode() & 0o7777))?;
        copy.set_modified(found.modified()?)
    };
    Ok(match fill() {
        Ok(()) => Answer::Done,
        Err(error) => {
            drop(std::fs::remove_file(to));
            Answer::Fail(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
        }
    })
}

/// The path at an address of a process.
fn string(memory: &File, address: u64) -> io::Result<PathBuf> {
    let mut text = vec![0; LONGEST_PATH];
    let mut length = 0;
    // What is read ends at the end of mapped memory, or somewhere behind the string.
    while length < text.len() && !text[..length].contains(&0) {
        match memory.read_at(&mut text[length..], address + length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    let text = CStr::from_bytes_until_nul(&text).map_err(io::Error::other)?;
    Ok(PathBuf::from(OsStr::from_bytes(text.to_bytes())))
}
