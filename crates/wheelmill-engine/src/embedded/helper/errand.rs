//! Work on files of users who exist only in a user namespace: there, this process is root and may
//! do what it could not do outside.

use std::error::Error;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, pipe2};

use super::{entry, namespace, sys};
use crate::embedded::mode::Mode;
use crate::embedded::spec::{During as _, Ended, Event, Failure, Operation, Task};
use crate::image::remove_tree;
use crate::{Cancel, DiskMeter};

/// Does a task, and tells the caller how it went. When the caller goes away, the task ends.
pub(super) fn run(mode: Mode, task: &Task, mut caller: UnixStream) {
    let event = match start(mode) {
        Ok(Side::Worker { go, answer }) => {
            drop(caller);
            work(task, go, answer);
            entry::leave(0)
        }
        Ok(Side::Helper { worker, answer }) => wait(worker, answer, &caller),
        Err(failure) => Event::Failed(failure),
    };
    entry::tell(&mut caller, &event);
}

/// The two processes after the fork, with their ends of the pipes between them.
enum Side {
    Worker { go: OwnedFd, answer: OwnedFd },
    Helper { worker: Pid, answer: OwnedFd },
}

fn start(mode: Mode) -> Result<Side, Failure> {
    let pipe = || pipe2(OFlag::O_CLOEXEC).during(|| Operation::Namespaces);
    let (go, answer) = (pipe()?, pipe()?);
    let namespaces = if mode.is_user() { CloneFlags::CLONE_NEWUSER } else { CloneFlags::empty() };
    match sys::fork_into(namespaces).during(|| Operation::Namespaces)? {
        ForkResult::Child => Ok(Side::Worker { go: go.0, answer: answer.1 }),
        ForkResult::Parent { child } => {
            namespace::map_ids(mode, child)?;
            File::from(go.1).write_all(b"g").during(|| Operation::Namespaces)?;
            Ok(Side::Helper { worker: child, answer: answer.0 })
        }
    }
}

fn work(task: &Task, go: OwnedFd, answer: OwnedFd) {
    let ready = prctl::set_pdeathsig(Signal::SIGKILL).during(|| Operation::Namespaces).and_then(
        // Only after that is a helper that died before noticed.
        |()| File::from(go).read_exact(&mut [0]).during(|| Operation::Namespaces),
    );
    let event = match (ready, task) {
        (Err(failure), _) => Event::Failed(failure),
        (Ok(()), Task::Remove(folder)) => remove_tree(folder.as_std_path())
            .during(|| Operation::Remove(folder.clone()))
            .map_or_else(Event::Failed, |()| Event::Ended(Ended::default())),
        (Ok(()), Task::Measure(folder)) => Event::Measured(DiskMeter::default().measure(folder)),
        (Ok(()), Task::Unpack(job)) => match job.run(&Cancel::new()) {
            Ok(unpacked) => Event::Unpacked(unpacked),
            Err(error) => Event::Refused(chain(&error)),
        },
    };
    let line = serde_json::to_vec(&event).expect("events are plain data");
    // When nobody listens any more, this process is about to be killed.
    drop(File::from(answer).write_all(&line));
}

fn wait(worker: Pid, answer: OwnedFd, caller: &UnixStream) -> Event {
    let mut waiting = [
        PollFd::new(caller.as_fd(), PollFlags::POLLIN),
        PollFd::new(answer.as_fd(), PollFlags::POLLIN),
    ];
    while matches!(poll(&mut waiting, PollTimeout::NONE), Err(nix::errno::Errno::EINTR)) {}
    let gone = waiting[0].any() == Some(true);
    if gone {
        let _ = kill(worker, Signal::SIGKILL);
    }
    let mut said = Vec::new();
    drop(File::from(answer).read_to_end(&mut said));
    let code = namespace::wait_for(worker);
    serde_json::from_slice(&said).unwrap_or_else(|_| {
        // It was killed before it could say anything.
        Event::Ended(Ended { code: code.unwrap_or(1), ..Ended::default() })
    })
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
