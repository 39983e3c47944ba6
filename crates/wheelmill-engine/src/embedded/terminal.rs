//! A container whose command a person talks to.
//!
//! The command gets one end of a pseudo-terminal, made here, as its three files; this end copies
//! between the other one and the person's own terminal.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::pty::{OpenptyResult, openpty};
use rustix::termios::{tcgetwinsize, tcsetwinsize};

use super::process::{
    Helper, HelperError, Outcome, PATIENCE, conversation, outcome, read, wait_for,
};
use super::program::Program;
use super::spec::Request;
use crate::{Cancel, Terminal};

/// Lets a helper run a container at a terminal, to its end.
pub(super) fn run(
    program: &Program,
    request: &Request,
    terminal: Terminal<'_>,
    cancel: &Cancel,
) -> Result<Outcome, HelperError> {
    let start = Instant::now();
    let (said, cancelled) =
        follow(program, request, terminal, cancel).map_err(HelperError::Process)?;
    outcome(conversation(&said, cancelled, start.elapsed())?)
}

fn follow(
    program: &Program,
    request: &Request,
    terminal: Terminal<'_>,
    cancel: &Cancel,
) -> io::Result<(Vec<u8>, bool)> {
    let OpenptyResult { master, slave } = openpty(None, None)?;
    resize(&master, terminal.output)?;
    let helper = Helper::start_at(program, request, slave)?;
    let mut socket = Some(helper.socket()?);
    let mut master = Some(File::from(master));
    let mut keys = Some(File::from(terminal.input.try_clone_to_owned()?));
    let mut screen = File::from(terminal.output.try_clone_to_owned()?);
    let mut said = Vec::new();
    let mut deadline: Option<Instant> = None;
    let mut buffer = vec![0; 16 * 1024];
    while socket.is_some() {
        let [from_socket, from_master, from_keys] =
            wait_for([fd(&socket), fd(&master), fd(&keys)])?;
        if from_socket && let count @ 1.. = read(&mut socket, &mut buffer)? {
            said.extend_from_slice(&buffer[..count]);
        }
        if from_master {
            pass_on(&mut master, &mut screen, &mut buffer)?;
        }
        if from_keys
            && let count @ 1.. = read(&mut keys, &mut buffer)?
            && let Some(master) = &mut master
        {
            master.write_all(&buffer[..count])?;
        }
        if let Some(master) = master.as_ref().filter(|_| terminal.was_resized()) {
            resize(master, terminal.output)?;
        }
        match deadline {
            None if cancel.is_cancelled() => {
                helper.socket()?.shutdown(Shutdown::Write)?;
                deadline = Some(Instant::now() + PATIENCE);
            }
            Some(deadline) if Instant::now() > deadline => helper.kill()?,
            _ => {}
        }
    }
    // What was written last, before the container ended.
    while master.is_some() {
        pass_on(&mut master, &mut screen, &mut buffer)?;
    }
    Ok((said, deadline.is_some()))
}

/// Copies output once. When nobody has the other end any more, there is none.
fn pass_on(master: &mut Option<File>, screen: &mut File, buffer: &mut [u8]) -> io::Result<()> {
    let Some(open) = master else { return Ok(()) };
    match open.read(buffer) {
        Ok(0) => *master = None,
        Ok(count) => screen.write_all(&buffer[..count])?,
        Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => *master = None,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Gives a pseudo-terminal the size of the person's, where that is known.
fn resize(master: impl AsFd, terminal: BorrowedFd<'_>) -> io::Result<()> {
    match tcgetwinsize(terminal) {
        Ok(size) => Ok(tcsetwinsize(master, size)?),
        Err(_) => Ok(()),
    }
}

fn fd(file: &Option<impl AsFd>) -> Option<BorrowedFd<'_>> {
    file.as_ref().map(AsFd::as_fd)
}
