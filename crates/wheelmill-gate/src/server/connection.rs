//! One call of a compiler, as the server sees it. The other side may do anything at any time.

use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::socket::{MsgFlags, send};

use crate::policy::CellId;
use crate::protocol::{self, Ask, Malformed, Reply, Request};

/// Where a call is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Connected, and has not asked yet.
    New,
    /// Asked, and must not run yet.
    Waiting,
    /// Runs.
    Running,
    /// Was told to stop.
    Stopping,
}

/// The newest run of a compiler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) started: Timestamp,
    pub(super) at: Instant,
    pub(super) threads: u16,
    pub(super) estimate: u64,
    /// How long it waited before.
    pub(super) waited: Duration,
    /// How many processes had been killed for memory before.
    pub(super) kills_before: Option<u64>,
    pub(super) memory: u64,
    pub(super) peak: u64,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: UnixStream,
    received: Vec<u8>,
    pub(super) cell: CellId,
    /// The process, where it can be seen.
    pub(super) process: Option<i32>,
    pub(super) state: State,
    /// Since when it is in that state.
    pub(super) since: Instant,
    /// When it last heard that it must wait.
    pub(super) told: Instant,
    pub(super) ask: Option<Ask>,
    pub(super) run: Option<Run>,
    pub(super) attempt: u32,
}

/// What came from the other side.
pub(super) struct Received {
    pub(super) requests: Vec<Request>,
    /// Nothing more will come, or nothing that could be understood.
    pub(super) over: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, cell: CellId, process: Option<i32>) -> Self {
        Self {
            stream,
            received: Vec::new(),
            cell,
            process,
            state: State::New,
            since: Instant::now(),
            told: Instant::now(),
            ask: None,
            run: None,
            attempt: 0,
        }
    }

    /// Reads what is there: never more than a few messages at a time, so that nobody keeps the
    /// server busy.
    pub(super) fn receive(&mut self) -> Received {
        let mut buffer = [0; 4096];
        let mut over = false;
        match self.stream.read(&mut buffer) {
            Ok(0) => over = true,
            Ok(length) => self.received.extend_from_slice(&buffer[..length]),
            Err(error) => {
                over =
                    !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            }
        }
        let mut requests = Vec::new();
        loop {
            match self.next() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return Received { requests, over },
                Err(Malformed) => return Received { requests, over: true },
            }
        }
    }

    fn next(&mut self) -> Result<Option<Request>, Malformed> {
        let Some(length) = protocol::body_length(&self.received)? else { return Ok(None) };
        let frame: Vec<u8> = self.received.drain(..length + 4).collect();
        let mut request = Request::decode(&frame[4..])?;
        if let Request::Ask(ask) = &mut request {
            printable(&mut ask.source);
            printable(&mut ask.compiler);
        }
        Ok(Some(request))
    }

    /// Says something. Who does not listen is lost.
    pub(super) fn say(&mut self, reply: &Reply) -> io::Result<()> {
        self.told = Instant::now();
        let frame = reply.encode();
        // A signal for a closed connection would be the whole program's.
        let sent = send(self.stream.as_raw_fd(), &frame, MsgFlags::MSG_NOSIGNAL)?;
        if sent == frame.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
        self.since = Instant::now();
    }
}

/// Texts of a build end on terminals: nothing in them may steer one.
fn printable(text: &mut String) {
    if text.contains(char::is_control) {
        *text = text.replace(char::is_control, "?");
    }
}
