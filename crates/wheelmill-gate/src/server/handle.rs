//! What a program holds of its server.

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::ByteSize;

use super::event::Snapshot;
use super::owner::{Command, Owner, Waker};
use super::sampler::Sampler;
use super::{GateEvent, ServerError, socket};
use crate::learned::Learned;
use crate::machine::Share;
use crate::policy::{CellId, Policy, PolicySettings};

/// How the server works.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// How compiles are admitted.
    pub policy: PolicySettings,
    /// What all cells together may use, if the user says so.
    pub memory: Option<ByteSize>,
    /// How often memory is measured.
    pub interval: Duration,
    /// How many calls may be there at a time. More are let through, and run at once.
    pub most_connections: usize,
}

impl ServerSettings {
    /// The defaults for so many processors.
    #[must_use]
    pub const fn with_cpus(cpus: u16) -> Self {
        Self {
            policy: PolicySettings::with_cpus(cpus),
            memory: None,
            interval: Duration::from_millis(100),
            most_connections: 512,
        }
    }
}

/// A cell whose compilers the server admits.
#[derive(Clone, Debug)]
pub struct CellSettings {
    /// Its name, as events have it.
    pub name: String,
    /// The package that it builds, by which history is looked up.
    pub package: String,
    /// The sources that it will compile, each once, where that is known: how far it is, and how long
    /// it takes, is told by these.
    pub sources: Vec<String>,
    /// Where its compilers find the server: they see this socket and no other, so that no cell can
    /// speak for another. The folder must exist.
    pub socket: Utf8PathBuf,
}

/// The server. Ends when it is dropped: compilers that wait then run at once.
#[derive(Debug)]
pub struct Server {
    line: Line,
    next_cell: AtomicU32,
    threads: Vec<JoinHandle<()>>,
}

/// The way to the thread that owns everything.
#[derive(Clone, Debug)]
struct Line {
    commands: Sender<Command>,
    waker: Waker,
}

impl Line {
    fn send(&self, command: Command) -> Result<(), ServerError> {
        self.commands.send(command).map_err(|_| ServerError::Gone)?;
        self.waker.wake();
        Ok(())
    }
}

impl Server {
    /// Starts a server that knows what was learned before. It tells the listener what happens, from
    /// a thread of its own; a listener that takes its time holds up compilers.
    ///
    /// # Errors
    ///
    /// When threads or descriptors cannot be had.
    pub fn start(
        settings: ServerSettings,
        learned: Learned,
        listener: Box<dyn FnMut(&GateEvent) + Send>,
    ) -> Result<Self, ServerError> {
        let start = |source| ServerError::Start { source };
        let (woken, waker) = UnixStream::pair().map_err(start)?;
        for end in [&woken, &waker] {
            end.set_nonblocking(true).map_err(start)?;
        }
        let waker = Waker(Arc::new(Mutex::new(waker)));
        let (commands, received) = mpsc::channel();
        let line = Line { commands, waker };
        let (orders, ordered) = mpsc::channel();
        let own = Share::of_this_process();
        let mut sampler = Sampler::new(settings.memory.map(|memory| memory.0), own.clone());
        let first = sampler.sample();
        let interval = settings.interval;
        let samples = line.clone();
        let sampling = std::thread::Builder::new()
            .name("gate-sampler".to_owned())
            .spawn(move || {
                let tell = |sample| samples.send(Command::Sample(sample)).is_ok();
                sampler.run(&ordered, interval, tell);
            })
            .map_err(start)?;
        let owning = std::thread::Builder::new()
            .name("gate".to_owned())
            .spawn(move || {
                let policy = Policy::new(settings.policy.clone(), learned);
                let mut owner = Owner::new(settings, policy, own, orders, listener);
                owner.sample(first);
                owner.run(&received, &woken);
            })
            .map_err(start)?;
        Ok(Self { line, next_cell: AtomicU32::new(0), threads: vec![owning, sampling] })
    }

    /// Listens for the compilers of a cell until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// When the socket cannot be made.
    pub fn open(&self, settings: CellSettings) -> Result<OpenCell, ServerError> {
        let socket = settings.socket.clone();
        let listener: UnixListener = socket::listen(&socket)
            .map_err(|source| ServerError::Listen { socket: socket.clone(), source })?;
        let id = CellId(self.next_cell.fetch_add(1, Ordering::Relaxed));
        self.line.send(Command::Open(id, settings, listener))?;
        Ok(OpenCell { id, socket, line: self.line.clone() })
    }

    /// How everything is now.
    ///
    /// # Errors
    ///
    /// When the server has died.
    pub fn snapshot(&self) -> Result<Snapshot, ServerError> {
        let (answer, answered) = mpsc::channel();
        self.line.send(Command::Snapshot(answer))?;
        answered.recv().map_err(|_| ServerError::Gone)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // When it is gone there is nothing to end.
        drop(self.line.send(Command::End));
        for thread in self.threads.drain(..) {
            // A panic was printed when it happened.
            drop(thread.join());
        }
    }
}

/// A cell that the server listens for. When it is dropped, all events of the cell have been told.
#[derive(Debug)]
pub struct OpenCell {
    id: CellId,
    socket: Utf8PathBuf,
    line: Line,
}

impl OpenCell {
    /// Where its compilers find the server.
    #[must_use]
    pub fn socket(&self) -> &Utf8Path {
        &self.socket
    }
}

impl Drop for OpenCell {
    fn drop(&mut self) {
        let (answer, answered) = mpsc::channel();
        if self.line.send(Command::Close(self.id, answer)).is_ok() {
            let _ = answered.recv();
        }
        // Somebody may have removed it, with the folder.
        drop(fs_err::remove_file(&self.socket));
    }
}

impl Waker {
    /// Makes the owner look at its commands.
    pub(super) fn wake(&self) {
        // A poisoned lock guards nothing but a descriptor. When the pipe is full, it wakes already.
        let mut stream = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(stream.write(&[0]));
    }
}
