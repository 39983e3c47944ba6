//! Where the helper process begins and ends.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::sys::stat::{Mode as Permissions, umask};
use nix::unistd::dup2_stdin;

use super::{errand, supervise, sys};
use crate::embedded::spec::{During as _, Event, Failure, Operation, Request};

/// The first argument of a program that is executed as helper.
pub(in crate::embedded) const MARKER: &str = "--wheelmill-container-helper";

/// Runs as helper process, when the arguments (the program's own name first) say that this process
/// is one. A program that uses the embedded engine calls this before anything else, in particular
/// before it starts a thread, and ends with the code when there is one.
#[must_use]
pub fn helper_main(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let marker = arguments.into_iter().nth(1)?;
    if marker != MARKER {
        return None;
    }
    sys::close_inherited_files();
    umask(Permissions::from_bits_truncate(0o022));
    // Without its caller the helper has nobody to tell what went wrong.
    let Ok(mut caller) = take_caller() else { return Some(ExitCode::FAILURE) };
    match read(&mut caller) {
        Ok(Request::Run(request)) => supervise::run(&request, caller),
        Ok(Request::Errand { mode, task }) => errand::run(mode, &task, caller),
        Err(failure) => tell(&mut caller, &Event::Failed(failure)),
    }
    Some(ExitCode::SUCCESS)
}

/// The socket comes as standard input, the one file that every process may be given without
/// unsafe code in its parent. The container must not find it there.
fn take_caller() -> io::Result<UnixStream> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(fs_err::File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

fn read(caller: &mut UnixStream) -> Result<Request, Failure> {
    let mut length = [0; 4];
    caller.read_exact(&mut length).during(|| Operation::Read)?;
    let length = usize::try_from(u32::from_le_bytes(length)).expect("32 bits fit a length");
    let mut text = vec![0; length];
    caller.read_exact(&mut text).during(|| Operation::Read)?;
    serde_json::from_slice(&text).map_err(io::Error::from).during(|| Operation::Read)
}

/// Tells the caller something. When it is gone, nobody is left to be told.
pub(super) fn tell(caller: &mut UnixStream, event: &Event) {
    let mut line = serde_json::to_vec(event).expect("events are plain data");
    line.push(b'\n');
    drop(caller.write_all(&line));
}

/// Ends a process that was forked from the helper, without going back through its caller.
#[expect(clippy::exit, reason = "a forked process must not return into its parent's code")]
pub(super) fn leave(code: i32) -> ! {
    std::process::exit(code)
}
