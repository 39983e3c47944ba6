//! A folder with the gate before made-up compilers, and a server whose words a test chooses.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use wheelmill_gate::protocol::{self, Ask, Ending, Reply, Request};
use wheelmill_gate::{
    CellSettings, CompileRecord, GateEvent, Learned, OpenCell, Server, ServerSettings,
    write_program,
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Setup {
    _folder: TempDir,
    pub(crate) path: Utf8PathBuf,
}

impl Setup {
    /// The program, a folder `links` for its links, and an empty folder `real` for compilers.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().canonicalize().unwrap()).unwrap();
        write_program(&path).unwrap();
        for name in ["links", "real", "work"] {
            std::fs::create_dir(path.join(name)).unwrap();
        }
        Self { _folder: folder, path }
    }

    /// Writes a compiler, as a script, and puts the gate before it.
    pub(crate) fn compiler(&self, name: &str, script: &str) {
        write_script(&self.path.join("real").join(name), script);
        std::os::unix::fs::symlink(self.path.join("gate"), self.path.join("links").join(name))
            .unwrap();
    }

    /// A call of a compiler by its name, with the gate before it.
    pub(crate) fn call(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(name, arguments);
        command.env("PATH", format!("{0}/links:{0}/real:/usr/bin:/bin", self.path));
        command.env(protocol::SOCKET_VARIABLE, self.socket());
        // `Command` looks for programs on this process's own path.
        let mut call = Command::new(self.path.join("links").join(name));
        std::os::unix::process::CommandExt::arg0(&mut call, name);
        call.args(arguments).current_dir(self.path.join("work")).env_clear();
        call.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        call
    }

    /// The same call without any gate.
    pub(crate) fn bare(&self, name: &str, arguments: &[&str]) -> Command {
        let mut call = Command::new(self.path.join("real").join(name));
        std::os::unix::process::CommandExt::arg0(&mut call, name);
        call.args(arguments).current_dir(self.path.join("work")).env_clear();
        call.env("PATH", format!("{}/real:/usr/bin:/bin", self.path)).env("FLAVOUR", "a b");
        call
    }

    pub(crate) fn socket(&self) -> Utf8PathBuf {
        self.path.join("socket")
    }

    pub(crate) fn listen(&self) -> UnixListener {
        UnixListener::bind(self.socket()).unwrap()
    }
}

pub(crate) fn write_script(path: &Utf8Path, script: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// One call, as the server sees it.
pub(crate) struct Talk(UnixStream);

impl Talk {
    /// Waits for a call, and for its question.
    pub(crate) fn accept(listener: &UnixListener) -> (Self, Ask) {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut talk = Self(stream);
        match talk.hear() {
            Some(Request::Ask(ask)) => (talk, ask),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a call, and lets it run.
    pub(crate) fn admit(listener: &UnixListener) -> Self {
        let (mut talk, ask) = Self::accept(listener);
        talk.say(&Reply::Go { threads: ask.threads });
        talk
    }

    pub(crate) fn say(&mut self, reply: &Reply) {
        self.0.write_all(&reply.encode()).unwrap();
    }

    /// The next message; none when the call is over.
    pub(crate) fn hear(&mut self) -> Option<Request> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut body).unwrap();
        Some(Request::decode(&body).unwrap())
    }

    pub(crate) fn finished(&mut self) -> Ending {
        match self.hear() {
            Some(Request::Finished(ending)) => ending,
            other => panic!("{other:?}"),
        }
    }
}

/// A server and what it tells.
pub(crate) struct Serving {
    pub(crate) server: Server,
    pub(crate) events: Receiver<GateEvent>,
}

impl Serving {
    pub(crate) fn start(settings: ServerSettings, learned: Learned) -> Self {
        let (sender, events) = channel();
        let tell = move |event: &GateEvent| drop(sender.send(event.clone()));
        Self { server: Server::start(settings, learned, Box::new(tell)).unwrap(), events }
    }

    /// Opens a cell at the socket of a setup.
    pub(crate) fn open(&self, setup: &Setup) -> OpenCell {
        self.open_at("cell", &setup.socket())
    }

    pub(crate) fn open_at(&self, name: &str, socket: &Utf8Path) -> OpenCell {
        self.open_for(name, socket, Vec::new())
    }

    /// Opens a cell of which it is known what it compiles.
    pub(crate) fn open_for(&self, name: &str, socket: &Utf8Path, sources: Vec<String>) -> OpenCell {
        let (name, package) = (name.to_owned(), "package".to_owned());
        let socket = socket.to_owned();
        self.server.open(CellSettings { name, package, sources, socket }).unwrap()
    }

    /// Waits for an event of a kind.
    pub(crate) fn wait_for<T>(&self, mut pick: impl FnMut(&GateEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv_timeout(PATIENCE).unwrap();
            if let Some(found) = pick(&event) {
                return found;
            }
        }
    }

    /// Waits until a compile runs, and returns its source.
    pub(crate) fn wait_for_start(&self) -> String {
        self.wait_for(|event| match event {
            GateEvent::Started { source, .. } => Some(source.clone()),
            _ => None,
        })
    }

    /// Everything that was told so far.
    pub(crate) fn told(&self) -> Vec<GateEvent> {
        self.events.try_iter().collect()
    }
}

/// The runs that are over, in order.
pub(crate) fn records(events: &[GateEvent]) -> Vec<CompileRecord> {
    let records = events.iter().filter_map(|event| match event {
        GateEvent::Ended { record, .. } => Some(record.clone()),
        _ => None,
    });
    records.collect()
}

/// The most compiles that ran at a time.
pub(crate) fn most_at_a_time(events: &[GateEvent]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for event in events {
        match event {
            GateEvent::Started { .. } => now += 1,
            GateEvent::Ended { .. } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}
