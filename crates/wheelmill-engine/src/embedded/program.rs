//! The program that helpers execute.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::OnceLock;

use camino::Utf8PathBuf;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::helper::MARKER;

/// A program, and a copy of it in memory that nobody can change.
///
/// A container's root can open the file that a process executes, through `/proc`, and where he is
/// the host's root or the user, he could write to it: this is how containers took over hosts with
/// runc (CVE-2019-5736). Helpers therefore run from a sealed copy. The copy also stays what it is
/// when the program is updated during a long build.
#[derive(Debug)]
pub(super) struct Program {
    path: Utf8PathBuf,
    copy: OnceLock<Option<File>>,
}

impl Program {
    pub(super) const fn new(path: Utf8PathBuf) -> Self {
        Self { path, copy: OnceLock::new() }
    }

    /// The command that becomes a helper.
    pub(super) fn helper(&self) -> Command {
        let copy = self.copy.get_or_init(|| match self.sealed_copy() {
            Ok(copy) => Some(copy),
            Err(error) => {
                tracing::warn!(%error, "helpers run from the program's own file");
                None
            }
        });
        let mut command = match copy {
            // Closed by the very `execve` that has found the program through it.
            Some(copy) => Command::new(format!("/proc/self/fd/{}", copy.as_raw_fd())),
            None => Command::new(&self.path),
        };
        command.arg0("wheelmill-container").arg(MARKER);
        command
    }

    fn sealed_copy(&self) -> io::Result<File> {
        // Not as `fs_err` opens it: only plain files are copied inside the kernel.
        let mut from = File::open(&self.path)?;
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        // Since Linux 6.3 a machine may make such files not executable if they do not ask for it.
        let executable = MFdFlags::from_bits_retain(libc::MFD_EXEC);
        let copy = match memfd_create("wheelmill", flags | executable) {
            Err(Errno::EINVAL) => memfd_create("wheelmill", flags)?,
            copy => copy?,
        };
        let mut copy = File::from(copy);
        io::copy(&mut from, &mut copy)?;
        let seals = SealFlag::F_SEAL_WRITE
            | SealFlag::F_SEAL_GROW
            | SealFlag::F_SEAL_SHRINK
            | SealFlag::F_SEAL_SEAL;
        fcntl(&copy, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(copy)
    }
}
