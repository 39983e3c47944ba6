//! The connection to the server.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::protocol::{self, Ask, Reply, Request, SILENCE};

pub(crate) struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    /// Whether the compiler can be told to use fewer threads, and how many it wants.
    pub(crate) threads: Option<u16>,
}

impl Connection {
    /// Asks. None when nobody is there who could answer.
    pub(crate) fn open(socket: &Path, ask: Ask) -> Option<Self> {
        let stream = connect(socket).ok()?;
        stream.set_write_timeout(Some(SILENCE)).ok()?;
        let threads = ask.fewer_threads.then_some(ask.threads);
        let mut connection = Self { stream, received: Vec::new(), threads };
        connection.send(&Request::Ask(ask)).ok()?;
        Some(connection)
    }

    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        self.stream.write_all(&request.encode())
    }

    /// A reply that was received before and not looked at yet.
    pub(crate) fn take(&mut self) -> io::Result<Option<Reply>> {
        let malformed = |_| io::Error::from(io::ErrorKind::InvalidData);
        let Some(length) = protocol::body_length(&self.received).map_err(malformed)? else {
            return Ok(None);
        };
        let frame: Vec<u8> = self.received.drain(..length + 4).collect();
        Reply::decode(&frame[4..]).map(Some).map_err(malformed)
    }

    /// Receives what is there, when something is.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Connects, which says nothing yet.
pub(crate) fn connect(socket: &Path) -> io::Result<UnixStream> {
    const O_PATH: i32 = 0o10_000_000;
    match UnixStream::connect(socket) {
        // Addresses of sockets are short; a descriptor makes any path short.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let file = OpenOptions::new().read(true).custom_flags(O_PATH).open(socket)?;
            UnixStream::connect(format!("/proc/self/fd/{}", file.as_raw_fd()))
        }
        result => result,
    }
}
