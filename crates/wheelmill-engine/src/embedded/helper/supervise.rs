//! The helper's own part: starts the container's first process, watches it and what asked for it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::Utf8PathBuf;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, pipe2};

use super::cgroup::ControlGroup;
use super::memory::Sampler;
use super::{descendants, entry, init, namespace, processors, sys};
use crate::embedded::spec::{During as _, Ended, Event, Failure, Operation, RunRequest};
use crate::{Limits, MemoryWatch};

/// The way on which the container's first process tells what it does.
pub(super) struct Report(File);

impl Report {
    pub(super) fn new(file: OwnedFd) -> Self {
        Self(file.into())
    }

    /// Tells what was made to mount things on.
    pub(super) fn stubs(&mut self, made: Vec<Utf8PathBuf>) {
        self.send(&Event::Stubs(made));
    }

    /// Tells that it cannot go on.
    pub(super) fn failed(&mut self, failure: &Failure) {
        self.send(&Event::Failed(failure.clone()));
    }

    fn send(&mut self, event: &Event) {
        let mut line = serde_json::to_vec(event).expect("events are plain data");
        line.push(b'\n');
        // When nobody listens any more, this process is about to be killed.
        drop(self.0.write_all(&line));
    }
}

/// Runs a container, tells its caller what happens, and kills it when the caller is gone.
pub(super) fn run(request: &RunRequest, mut caller: UnixStream) {
    let mut said = Vec::new();
    let result = match start(request) {
        Ok(Side::Init { go, report, alive }) => {
            drop(caller);
            let code = init::run(request, go, report);
            // Open until this process ends: that is what the helper waits for.
            drop(alive);
            entry::leave(code)
        }
        Ok(Side::Helper(container)) => watch(container, &caller, &mut said),
        Err(failure) => Err(failure),
    };
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // A line that is cut off is that of a process that was killed while it spoke.
        if let Ok(event) = serde_json::from_slice(line) {
            entry::tell(&mut caller, &event);
        }
    }
    let event = result.map_or_else(Event::Failed, Event::Ended);
    entry::tell(&mut caller, &event);
}

/// The two processes after the fork, with their ends of the pipes between them.
enum Side {
    /// The container's first process.
    Init {
        /// Gives a byte when everything is ready for it.
        go: OwnedFd,
        /// Where it tells what it does.
        report: OwnedFd,
        /// Closed when it dies.
        alive: OwnedFd,
    },
    Helper(Container),
}

/// A running container, as the helper sees it.
struct Container {
    init: Init,
    memory: Memory,
    report: File,
    alive: OwnedFd,
}

fn start(request: &RunRequest) -> Result<Side, Failure> {
    let pipe = || pipe2(OFlag::O_CLOEXEC).during(|| Operation::Namespaces);
    let (go, report, alive) = (pipe()?, pipe()?, pipe()?);
    if !request.isolation.has_namespaces() {
        // What outlives its parents comes to this process, which ends it.
        prctl::set_child_subreaper(true).during(|| Operation::Namespaces)?;
    }
    let init = match sys::fork_into(namespaces(request)).during(|| Operation::Namespaces)? {
        ForkResult::Child => {
            return Ok(Side::Init { go: go.0, report: report.1, alive: alive.1 });
        }
        ForkResult::Parent { child } => Init(child),
    };
    if request.isolation.has_namespaces() {
        namespace::map_ids(request.mode, init.0)?;
    }
    // Before the byte, it has no children: nothing escapes the limits.
    let memory = Memory::new(&request.limits, init.0).during(|| Operation::Limits)?;
    File::from(go.1).write_all(b"g").during(|| Operation::Namespaces)?;
    Ok(Side::Helper(Container { init, memory, report: report.0.into(), alive: alive.0 }))
}

/// Waits for the end of a container, or for that of whoever wanted it. What the container's first
/// process tells is added to `said`.
fn watch(container: Container, caller: &UnixStream, said: &mut Vec<u8>) -> Result<Ended, Failure> {
    let Container { init, mut memory, report, alive } = container;
    let mut report = Some(report);
    let exceeded = loop {
        let mut waiting = vec![
            PollFd::new(caller.as_fd(), PollFlags::POLLIN),
            PollFd::new(alive.as_fd(), PollFlags::POLLIN),
        ];
        waiting.extend(report.iter().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN)));
        match poll(&mut waiting, memory.pause()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).during(|| Operation::Namespaces),
        }
        let ready: Vec<bool> = waiting.iter().map(|file| file.any() == Some(true)).collect();
        drop(waiting);
        if ready.get(2) == Some(&true) && read_some(report.as_mut(), said) == 0 {
            report = None;
        }
        let exceeded = memory.exceeded();
        // The caller has nothing to say after its request, so this is its end, or its wish.
        if ready[0] || exceeded {
            init.kill();
        }
        if ready[0] || ready[1] || exceeded {
            break exceeded;
        }
    };
    let code = init.wait().during(|| Operation::Namespaces)?;
    while read_some(report.as_mut(), said) > 0 {}
    Ok(memory.ended(code, exceeded))
}

fn read_some(file: Option<&mut File>, into: &mut Vec<u8>) -> usize {
    let mut buffer = [0; 4096];
    let count = file.and_then(|file| file.read(&mut buffer).ok()).unwrap_or(0);
    into.extend_from_slice(&buffer[..count]);
    count
}

fn namespaces(request: &RunRequest) -> CloneFlags {
    if !request.isolation.has_namespaces() {
        return CloneFlags::empty();
    }
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if request.mode.is_user() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    if !request.network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    flags
}

/// How the memory of a container is watched.
enum Memory {
    Group(ControlGroup),
    Sampled(Sampler),
}

impl Memory {
    fn new(limits: &Limits, init: Pid) -> io::Result<Self> {
        if let Some(group) = ControlGroup::new(limits) {
            match group.add(init) {
                Ok(()) => return Ok(Self::Group(group)),
                // A group may be made where no process may be moved to.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(cpus) = limits.cpus {
            processors::keep_to(init, cpus)?;
        }
        Ok(Self::Sampled(Sampler::new(init, limits.memory.map(|limit| limit.0))))
    }

    fn pause(&self) -> PollTimeout {
        match self {
            Self::Group(_) => PollTimeout::NONE,
            // Rounded up, or the last part of a millisecond would be spent in a busy loop.
            Self::Sampled(sampler) => {
                PollTimeout::try_from(sampler.pause() + Duration::from_millis(1))
                    .unwrap_or(PollTimeout::MAX)
            }
        }
    }

    /// Whether the container holds too much, where nobody else sees to it.
    fn exceeded(&mut self) -> bool {
        match self {
            Self::Group(_) => false,
            Self::Sampled(sampler) => sampler.sample(),
        }
    }

    fn ended(&self, code: i32, exceeded: bool) -> Ended {
        match self {
            Self::Group(group) => {
                let figures = group.figures();
                Ended {
                    code,
                    peak_memory: figures.peak_memory,
                    oom_kills: figures.oom_kills,
                    watch: Some(MemoryWatch::Cgroup),
                }
            }
            Self::Sampled(sampler) => Ended {
                code,
                // A container that has ended before the first sample.
                peak_memory: Some(sampler.peak()).filter(|peak| *peak > 0),
                oom_kills: u64::from(exceeded),
                watch: Some(MemoryWatch::Sampled),
            },
        }
    }
}

/// A container's first process. Everything in the container dies with it.
struct Init(Pid);

impl Init {
    fn kill(&self) {
        // It may be dead already.
        let _ = kill(self.0, Signal::SIGKILL);
    }

    /// Waits until every process of the container is gone.
    fn wait(self) -> nix::Result<i32> {
        let code = namespace::wait_for(self.0)?;
        // Nobody is left where the first process had a namespace.
        descendants::kill_all();
        Ok(code)
    }
}

impl Drop for Init {
    /// However the helper leaves, it leaves nothing behind.
    fn drop(&mut self) {
        self.kill();
        descendants::kill_all();
    }
}
