//! The program's side of a helper: starts it, follows it, and ends it.

use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program::Program;
use super::spec::{Ended, Event, Failure, Request};
use crate::{Cancel, EngineError, OutputSink, Stream};

/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long a helper has to end its container before it is killed itself, and the container with it.
pub(super) const PATIENCE: Duration = Duration::from_millis(700);

/// The only variable of a helper.
const WRITES: &str = "WHEELMILL_WRITES";

/// What a helper did.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ended: Ended,
    /// What was made in the container's layer to mount things on.
    pub(super) stubs: Vec<Utf8PathBuf>,
    pub(super) cancelled: bool,
    pub(super) wall: Duration,
}

/// Why a helper could not do what it was asked.
#[derive(Debug)]
pub(super) enum HelperError {
    /// It could not be started or spoken to.
    Process(io::Error),
    /// It said so itself.
    Failed(Failure),
}

impl From<HelperError> for EngineError {
    fn from(error: HelperError) -> Self {
        match error {
            HelperError::Process(source) => {
                Self::Start { step: "run its helper process".to_owned(), source }
            }
            HelperError::Failed(failure) => {
                Self::Start { step: failure.operation.to_string(), source: failure.source() }
            }
        }
    }
}

/// Lets a helper run a container, to its end.
pub(super) fn run(
    program: &Program,
    request: &Request,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<Outcome, HelperError> {
    outcome(converse(program, request, output, cancel)?)
}

/// What a container came to.
pub(super) fn outcome(conversation: Conversation) -> Result<Outcome, HelperError> {
    let Conversation { events, cancelled, wall } = conversation;
    let mut stubs = Vec::new();
    let mut ended = None;
    for event in events {
        match event {
            Event::Stubs(made) => stubs.extend(made),
            Event::Ended(how) => ended = Some(how),
            _ => {}
        }
    }
    let ended = match ended {
        Some(ended) => ended,
        // It was killed before it could say anything.
        None if cancelled => Ended { code: 137, ..Ended::default() },
        None => return Err(HelperError::Process(io::ErrorKind::UnexpectedEof.into())),
    };
    Ok(Outcome { ended, stubs, cancelled, wall })
}

/// What a helper said.
pub(super) struct Conversation {
    /// All but that it failed, unless it failed because it was stopped.
    pub(super) events: Vec<Event>,
    pub(super) cancelled: bool,
    pub(super) wall: Duration,
}

/// Lets a helper do something, to its end.
pub(super) fn converse(
    program: &Program,
    request: &Request,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<Conversation, HelperError> {
    let start = Instant::now();
    let mut helper = Helper::start(program, request).map_err(HelperError::Process)?;
    let (said, cancelled) = helper.follow(output, cancel).map_err(HelperError::Process)?;
    drop(helper);
    conversation(&said, cancelled, start.elapsed())
}

/// Reads what a helper said.
pub(super) fn conversation(
    said: &[u8],
    cancelled: bool,
    wall: Duration,
) -> Result<Conversation, HelperError> {
    let mut events = Vec::new();
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Event::Failed(failure)) if !cancelled => return Err(HelperError::Failed(failure)),
            Ok(event) => events.push(event),
            // Cut off when the helper was killed.
            Err(error) => tracing::debug!(%error, "a helper spoke unclearly"),
        }
    }
    Ok(Conversation { events, cancelled, wall })
}

/// A running helper. When this is dropped it is gone, and its container with it.
pub(super) struct Helper {
    child: Child,
    socket: UnixStream,
}

impl Helper {
    fn start(program: &Program, request: &Request) -> io::Result<Self> {
        Self::start_with(program, request, [Stdio::piped(), Stdio::piped()])
    }

    /// Starts a helper whose container has a terminal.
    pub(super) fn start_at(
        program: &Program,
        request: &Request,
        terminal: OwnedFd,
    ) -> io::Result<Self> {
        let again = terminal.try_clone()?;
        Self::start_with(program, request, [terminal.into(), again.into()])
    }

    fn start_with(
        program: &Program,
        request: &Request,
        [stdout, stderr]: [Stdio; 2],
    ) -> io::Result<Self> {
        let (mut socket, theirs) = UnixStream::pair()?;
        let child = program
            .helper()
            .env_clear()
            // By this it is known what it may write to, also before it has mounted anything.
            .env(WRITES, request.writes())
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(stdout)
            .stderr(stderr)
            // The interrupt key of a terminal is for the program; the helper hears of it from there.
            .process_group(0)
            .spawn()?;
        let text = serde_json::to_vec(request)?;
        let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut message = length.to_le_bytes().to_vec();
        message.extend(text);
        let helper = Self { child, socket: socket.try_clone()? };
        socket.write_all(&message)?;
        Ok(helper)
    }

    /// The program's end of the conversation.
    pub(super) fn socket(&self) -> io::Result<UnixStream> {
        self.socket.try_clone()
    }

    /// Kills it, and its container with it.
    pub(super) fn kill(&self) -> io::Result<()> {
        let process = Pid::from_raw(i32::try_from(self.child.id()).expect("numbers fit 32 bits"));
        Ok(kill(process, Signal::SIGKILL)?)
    }

    /// Passes output on until the helper is gone. Returns what it said, and whether it was stopped.
    fn follow(
        &mut self,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> io::Result<(Vec<u8>, bool)> {
        let mut said = Vec::new();
        let mut stdout = self.child.stdout.take();
        let mut stderr = self.child.stderr.take();
        let mut socket = Some(self.socket.try_clone()?);
        let mut deadline: Option<Instant> = None;
        let mut buffer = vec![0; 64 * 1024];
        while stdout.is_some() || stderr.is_some() || socket.is_some() {
            let [from_socket, from_stdout, from_stderr] =
                wait_for([fd(&socket), fd(&stdout), fd(&stderr)])?;
            if from_socket && let count @ 1.. = read(&mut socket, &mut buffer)? {
                said.extend_from_slice(&buffer[..count]);
            }
            if from_stdout && let count @ 1.. = read(&mut stdout, &mut buffer)? {
                output.output(Stream::Stdout, &buffer[..count]);
            }
            if from_stderr && let count @ 1.. = read(&mut stderr, &mut buffer)? {
                output.output(Stream::Stderr, &buffer[..count]);
            }
            match deadline {
                None if cancel.is_cancelled() => {
                    self.socket.shutdown(Shutdown::Write)?;
                    deadline = Some(Instant::now() + PATIENCE);
                }
                Some(deadline) if Instant::now() > deadline => self.child.kill()?,
                _ => {}
            }
        }
        Ok((said, deadline.is_some()))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail only when the helper is gone already, which is what is wanted.
        drop(self.socket.shutdown(Shutdown::Both));
        drop(self.child.wait());
    }
}

fn fd(file: &Option<impl AsFd>) -> Option<BorrowedFd<'_>> {
    file.as_ref().map(AsFd::as_fd)
}

/// Which of some files can be read, or have ended; none after a while.
pub(super) fn wait_for<const N: usize>(
    files: [Option<BorrowedFd<'_>>; N],
) -> io::Result<[bool; N]> {
    let mut waiting: Vec<_> =
        files.iter().flatten().map(|file| PollFd::new(*file, PollFlags::POLLIN)).collect();
    let look = PollTimeout::try_from(LOOK).expect("the pause is short");
    match poll(&mut waiting, look) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut results = waiting.iter().map(|file| file.any() == Some(true));
    Ok(files.map(|file| file.is_some() && results.next() == Some(true)))
}

/// Reads once; at the end, there is no file any more.
pub(super) fn read(file: &mut Option<impl io::Read>, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(open) = file else { return Ok(0) };
    let count = match open.read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
        // The helper was killed with something unread.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
        count => count?,
    };
    if count == 0 {
        *file = None;
    }
    Ok(count)
}
