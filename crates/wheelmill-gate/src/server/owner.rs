//! The thread that owns all state: it waits for sockets and commands, and asks the policy.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::connection::{Connection, State};
use super::event::Snapshot;
use super::handle::{CellSettings, ServerSettings};
use super::sampler::{Sample, Watch};
use super::{GateEvent, socket};
use crate::forecast::Progress;
use crate::machine::{Cgroup, Share, total_memory};
use crate::policy::{CellId, CompileId, Event, Policy, Pressure};
use crate::protocol::{HEARTBEAT, Reply, SILENCE};

/// How often waiting calls are looked after.
const TICK: Duration = Duration::from_millis(500);
/// Until something that is used up may be there again.
const MOMENT: Duration = Duration::from_millis(10);
/// How many calls are accepted before others are served.
const ACCEPTED_AT_ONCE: usize = 64;

/// The end of a pipe that interrupts the owner's wait.
#[derive(Clone, Debug)]
pub(super) struct Waker(pub(super) Arc<Mutex<UnixStream>>);

/// What other threads want.
pub(super) enum Command {
    Open(CellId, CellSettings, UnixListener),
    /// Answered when all is told about the cell.
    Close(CellId, Sender<()>),
    Snapshot(Sender<Snapshot>),
    Sample(Sample),
    End,
}

pub(super) struct Cell {
    pub(super) settings: CellSettings,
    pub(super) listener: UnixListener,
    /// The control group of its processes, as the first one that asked showed it.
    pub(super) group: Option<Cgroup>,
    pub(super) pressure: Pressure,
    pub(super) progress: Progress,
    pub(super) opened: Instant,
}

pub(super) struct Owner {
    pub(super) settings: ServerSettings,
    pub(super) policy: Policy,
    pub(super) orders: Sender<Watch>,
    pub(super) listener: Box<dyn FnMut(&GateEvent) + Send>,
    pub(super) cells: BTreeMap<CellId, Cell>,
    pub(super) connections: BTreeMap<CompileId, Connection>,
    pub(super) next: u64,
    pub(super) begin: Instant,
    /// What the policy has not heard yet.
    pub(super) events: VecDeque<Event>,
    pub(super) budget: Option<u64>,
    pub(super) pressure: Pressure,
    /// No compiler holds more than this, whatever it says.
    pub(super) most_memory: u64,
    /// The limit that this program is under itself.
    own: Option<Share>,
}

impl Owner {
    pub(super) fn new(
        settings: ServerSettings,
        policy: Policy,
        own: Option<Share>,
        orders: Sender<Watch>,
        listener: Box<dyn FnMut(&GateEvent) + Send>,
    ) -> Self {
        Self {
            settings,
            policy,
            orders,
            listener,
            cells: BTreeMap::new(),
            connections: BTreeMap::new(),
            next: 0,
            begin: Instant::now(),
            events: VecDeque::new(),
            budget: None,
            pressure: Pressure::Calm,
            most_memory: total_memory().unwrap_or(1 << 50),
            own,
        }
    }

    /// Works until it is told to end.
    pub(super) fn run(&mut self, commands: &Receiver<Command>, woken: &UnixStream) {
        loop {
            let (cells, calls, awake) = self.wait(woken);
            if awake {
                // Only that it came matters.
                let mut buffer = [0; 256];
                while { woken }.read(&mut buffer).is_ok_and(|length| length == buffer.len()) {}
            }
            while let Ok(command) = commands.try_recv() {
                if !self.obey(command) {
                    return;
                }
            }
            for id in calls {
                self.serve(id);
            }
            for id in cells {
                self.accept(id);
            }
            self.look_after_those_that_wait();
            self.decide();
        }
    }

    /// Waits until something happens: at which cells' sockets, with which calls, and whether a
    /// command came.
    fn wait(&self, woken: &UnixStream) -> (Vec<CellId>, Vec<CompileId>, bool) {
        let idle = self
            .connections
            .values()
            .all(|call| matches!(call.state, State::Running | State::Stopping));
        let timeout = if idle {
            PollTimeout::NONE
        } else {
            PollTimeout::try_from(TICK).unwrap_or(PollTimeout::NONE)
        };
        let listeners = self.cells.values().map(|cell| cell.listener.as_fd());
        let streams = self.connections.values().map(|call| call.stream.as_fd());
        let mut fds: Vec<PollFd<'_>> = [woken.as_fd()]
            .into_iter()
            .chain(listeners)
            .chain(streams)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        // An interruption is as good as a tick.
        let _ = poll(&mut fds, timeout);
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let awake = ready.next().unwrap_or(false);
        let mut chosen = Vec::new();
        for id in self.cells.keys() {
            chosen.extend(ready.next().unwrap_or(false).then_some(*id));
        }
        let calls = self.connections.keys().zip(ready).filter(|(_, ready)| *ready);
        (chosen, calls.map(|(id, _)| *id).collect(), awake)
    }

    /// False when it is to end.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Open(id, settings, listener) => {
                let progress =
                    Progress::new(self.policy.learned(), &settings.package, &settings.sources);
                let cell = Cell {
                    settings,
                    listener,
                    group: None,
                    pressure: Pressure::Calm,
                    progress,
                    opened: Instant::now(),
                };
                self.cells.insert(id, cell);
            }
            Command::Close(id, answer) => {
                self.catch_up();
                let calls = self.connections.iter().filter(|(_, call)| call.cell == id);
                for call in calls.map(|(call, _)| *call).collect::<Vec<_>>() {
                    self.lose(call);
                }
                self.decide();
                self.cells.remove(&id);
                self.order(Watch::CellEnd(id));
                // Who asked may be gone.
                let _ = answer.send(());
            }
            Command::Snapshot(answer) => {
                self.catch_up();
                drop(answer.send(self.snapshot()));
            }
            Command::Sample(sample) => self.sample(sample),
            Command::End => return false,
        }
        true
    }

    /// Hears what was said before a command was given: a build that has ended has said everything.
    fn catch_up(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.serve(id);
        }
    }

    pub(super) fn order(&self, order: Watch) {
        // Without a sampler nothing is measured, and estimates stand.
        drop(self.orders.send(order));
    }

    /// Takes note of what was measured.
    pub(super) fn sample(&mut self, sample: Sample) {
        for (id, memory) in sample.compiles {
            if let Some(run) = self.connections.get_mut(&id).and_then(|call| call.run.as_mut()) {
                run.memory = memory;
                run.peak = run.peak.max(memory);
            }
            self.events.push_back(Event::Measured { id, memory });
        }
        for (cell, budget, pressure) in sample.cells {
            if let Some(known) = self.cells.get_mut(&cell) {
                let changed = known.pressure != pressure;
                known.pressure = pressure;
                let name = known.settings.name.clone();
                if changed {
                    (self.listener)(&GateEvent::Pressure { cell: Some(name), pressure });
                }
                self.events.push_back(Event::Cell { cell, budget, pressure });
            }
        }
        let (budget, pressure) = sample.machine;
        self.budget = budget;
        if self.pressure != pressure {
            self.pressure = pressure;
            (self.listener)(&GateEvent::Pressure { cell: None, pressure });
        }
        self.events.push_back(Event::Machine { budget, pressure });
        self.decide();
    }

    /// Finds the control group of a cell by a process that asks for it, and with it the cell's own
    /// limit, before anything is decided. A process that only connects may be what starts the build,
    /// and not in its group yet.
    pub(super) fn find_group(&mut self, cell: CellId, process: Option<i32>) {
        let Some(known) = self.cells.get_mut(&cell).filter(|known| known.group.is_none()) else {
            return;
        };
        let Some(group) = process.and_then(|process| Cgroup::of(&process.to_string())) else {
            return;
        };
        known.group = Some(group.clone());
        // Where the cell shares this program's own limit, that one counts for all.
        let share = Share::of(&group).filter(|share| Some(share) != self.own.as_ref());
        let (budget, pressure) = (share.as_ref().map(|share| share.budget(0)), known.pressure);
        self.events.push_back(Event::Cell { cell, budget, pressure });
        self.order(Watch::Cell(cell, group, share));
    }

    fn accept(&mut self, cell: CellId) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(known) = self.cells.get_mut(&cell) else { return };
            let stream = match known.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    // No descriptors: the call is still there in a moment.
                    tracing::warn!(cell = known.settings.name, %error, "a call is not taken");
                    std::thread::sleep(MOMENT);
                    return;
                }
            };
            if self.connections.len() >= self.settings.most_connections
                || stream.set_nonblocking(true).is_err()
            {
                // It runs at once, as without a gate.
                tracing::debug!(cell = known.settings.name, "a call is let through");
                continue;
            }
            let process = socket::peer(&stream);
            let id = CompileId(self.next);
            self.next += 1;
            self.connections.insert(id, Connection::new(stream, cell, process));
            // Mostly the question is there already.
            self.serve(id);
        }
    }

    /// Tells those that wait that they are not forgotten, and forgets those that never ask.
    fn look_after_those_that_wait(&mut self) {
        let mut lost = Vec::new();
        for (id, call) in &mut self.connections {
            let fine = match call.state {
                State::New => call.since.elapsed() < SILENCE,
                State::Waiting if call.told.elapsed() >= HEARTBEAT => {
                    call.say(&Reply::Wait).is_ok()
                }
                _ => true,
            };
            if !fine {
                lost.push(*id);
            }
        }
        lost.into_iter().for_each(|id| self.lose(id));
    }
}
