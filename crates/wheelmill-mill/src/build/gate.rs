//! The gate of a run: admits the compilers of its builds, and hears what becomes of them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize as _;
use serde_json::Value;
use wheelmill_engine::{Container, EngineKind, Exit};
use wheelmill_gate::policy::{Failure, PolicySettings};
use wheelmill_gate::protocol::{Language, UNREACHABLE};
use wheelmill_gate::{
    Behind, CellSettings, CompileRecord, GateEvent, Learned, OpenCell, Outcome, ProgramError,
    Server, ServerError, ServerSettings, is_probe, write_program,
};
use wheelmill_model::{ByteSize, PackageName};
use wheelmill_store::{Store, StoreError};

use super::compile::{self, mount};
use super::compile_cache::HeldCache;
use crate::diagnose::{Admitted, Lost};
use crate::environment::paths;
use crate::event::{Compiles, Event};
use crate::host::Host;
use crate::settings::MillSettings;

/// How often is told how the compilers are.
const PACE: Duration = Duration::from_secs(1);
/// What the gate's folder holds, beside its program.
const SOCKET: &str = "socket";
const LINKS: &str = "links";

/// How many compiles are worth a line of their own.
const DEAREST: usize = 10;

/// The compiles that took the longest, each source once, the longest first. What came from a cache
/// was not compiled.
#[must_use]
pub fn dearest(records: &[CompileRecord]) -> Vec<&CompileRecord> {
    let own = |record: &&CompileRecord| record.tells() && !is_probe(&record.source);
    let mut dearest: Vec<&CompileRecord> = records.iter().filter(own).collect();
    dearest.sort_by_key(|record| Reverse(record.wall));
    let mut seen = HashSet::new();
    dearest.retain(|record| seen.insert(record.source.as_str()));
    dearest.truncate(DEAREST);
    dearest
}

/// What the history knows of packages.
#[derive(Default)]
pub(super) struct Known {
    learned: Learned,
    /// What a whole build of each compiles.
    sources: HashMap<PackageName, Vec<String>>,
}

impl Known {
    /// Reads it. What another version wrote may be unreadable: then it is learned anew.
    pub(super) fn read<'p>(
        store: &Store,
        packages: impl Iterator<Item = &'p PackageName>,
    ) -> Result<Self, StoreError> {
        let records = |kept: Vec<Value>| {
            let records = kept.into_iter().filter_map(|it| CompileRecord::deserialize(it).ok());
            records.filter(|record| !is_passing(&record.source))
        };
        let mut known = Self::default();
        for package in packages.collect::<BTreeSet<_>>() {
            records(store.compiles_of(package)?).for_each(|it| known.learned.learn(&it));
            let last = records(store.compiles_of_last_build(package)?);
            let sources =
                last.filter(|it| it.outcome.is_success() && it.language != Language::Link);
            let sources: BTreeSet<String> = sources.map(|record| record.source).collect();
            known.sources.insert(package.clone(), sources.into_iter().collect());
        }
        Ok(known)
    }
}

/// Whether nothing is learned from a source, since the next build has another one in its place.
fn is_passing(source: &str) -> bool {
    source.starts_with("/tmp/") || is_probe(source)
}

/// Why a build goes without the gate.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    #[error("its server does not listen")]
    Server(#[from] ServerError),
    #[error("its program is not in place")]
    Program(#[from] ProgramError),
    #[error("its folder could not be made")]
    Folder(#[from] std::io::Error),
    #[error("containers of the {0} engine do not reach its server")]
    Unreachable(EngineKind),
}

/// Tells that compilers are not admitted by memory, and why.
pub(super) fn without_gate(cell: Option<&str>, error: &dyn std::error::Error) -> Event {
    let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Event::Warning {
        cell: cell.map(str::to_owned),
        message: format!(
            "compilers run without the gate, as many as memory should allow: {error}{why}"
        ),
        hint: None,
    }
}

/// The gate of a run: one for all its cells, which share what the machine has.
pub(super) struct Gate {
    server: Server,
    listeners: Listeners,
    /// What a compile is charged of which nothing is known, in bytes.
    per_compile: u64,
    processors: u16,
    /// What a whole build of each package compiles.
    sources: HashMap<PackageName, Vec<String>>,
}

/// Who hears of the compiles of which cell, by its name.
#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<HashMap<String, Sender<GateEvent>>>>);

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Sender<GateEvent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &GateEvent) {
        let cell = match event {
            GateEvent::Ended { record, .. } => &record.cell,
            GateEvent::Failed { cell, .. } => cell,
            _ => return,
        };
        if let Some(listener) = self.lock().get(cell) {
            // Whoever listens does so until the sender is gone.
            drop(listener.send(event.clone()));
        }
    }
}

/// What the machine has left for compilers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Whether no compiler waits.
    pub(super) nobody_waits: bool,
    /// How many processors run compilers.
    pub(super) busy: usize,
    /// Whether there is memory for another compile of which nothing is known.
    pub(super) memory: bool,
}

/// What there is to tell while a build runs.
pub(super) enum GateNews<'a> {
    /// How the compilers are now.
    Now(Compiles),
    /// Compiles that ended since the last time.
    Ended(&'a [CompileRecord]),
    /// One that did not go well, in a sentence.
    Trouble(String),
}

/// What became of the compilers of a build.
#[derive(Clone, Debug, Default)]
pub(super) struct Compiled {
    /// Every run of a compiler.
    pub(super) records: Vec<CompileRecord>,
    /// The first one that was killed and could not be helped.
    pub(super) lost: Option<Lost>,
}

impl Compiled {
    /// Whether nothing was compiled, but what a build asks of its compilers.
    pub(super) fn is_none(&self) -> bool {
        self.records.iter().all(|record| is_passing(&record.source))
    }

    /// How many were killed for memory and ran again.
    fn recovered(&self) -> u64 {
        let killed = |record: &&CompileRecord| record.outcome == Outcome::OutOfMemory;
        let kills = self.records.iter().filter(killed).count() as u64;
        kills.saturating_sub(u64::from(self.lost.is_some()))
    }

    /// Whether the build did not begin, since its container does not reach the server.
    pub(super) fn is_unreachable(&self, exit: &Exit) -> bool {
        exit.code == UNREACHABLE && self.records.is_empty()
    }

    /// What a diagnosis has to know.
    pub(super) fn admitted(&self) -> Admitted<'_> {
        Admitted { recovered: self.recovered(), lost: self.lost.as_ref() }
    }

    /// The dearest of these compiles, for the end of a log.
    pub(super) fn lines(&self, dearest: &[&CompileRecord]) -> Vec<String> {
        let told = |record: &&CompileRecord| {
            let (wall, peak) = (record.wall.as_secs_f64(), record.peak_memory.to_string());
            format!("{wall:8.1} s {peak:>10}  {}", record.source)
        };
        let lines: Vec<String> = dearest.iter().map(told).collect();
        let head = format!("{} compiles; these took the longest:", self.records.len());
        if lines.is_empty() { lines } else { [vec![head], lines].concat() }
    }
}

impl Gate {
    /// Starts the server. A CUDA source of which nothing is known is charged `per_compile`, where a
    /// recipe says that.
    pub(super) fn start(
        settings: &MillSettings,
        host: &Host,
        per_compile: Option<ByteSize>,
        known: Known,
    ) -> Result<Self, ServerError> {
        let listeners = Listeners::default();
        let told = listeners.clone();
        let cpus = u16::try_from(compile::processors(settings, host)).unwrap_or(u16::MAX);
        let mut policy = PolicySettings::with_cpus(cpus);
        policy.cuda = per_compile.unwrap_or(policy.cuda);
        let per_compile = policy.cuda.0;
        let settings =
            ServerSettings { policy, memory: settings.memory, ..ServerSettings::with_cpus(cpus) };
        let listener = Box::new(move |event: &GateEvent| told.tell(event));
        let Known { learned, sources } = known;
        let server = Server::start(settings, learned, listener)?;
        Ok(Self { server, listeners, per_compile, processors: cpus, sources })
    }

    /// Opens it for the build of a cell, whole or what an earlier attempt has left of it. The folder
    /// holds all that the build needs of it.
    pub(super) fn open(
        &self,
        cell: &str,
        package: &PackageName,
        whole: bool,
        folder: Utf8PathBuf,
    ) -> Result<OpenGate<'_>, GateError> {
        write_program(&folder)?;
        fs_err::create_dir_all(folder.join(LINKS))?;
        let sources = self.sources.get(package).filter(|_| whole).cloned().unwrap_or_default();
        let (name, package) = (cell.to_owned(), package.to_string());
        let (say, heard) = channel();
        let socket = folder.join(SOCKET);
        let settings = CellSettings { name: name.clone(), package, sources, socket };
        let cell = self.server.open(settings)?;
        self.listeners.lock().insert(name.clone(), say);
        Ok(OpenGate { open: Open { gate: self, name, cell: Some(cell) }, heard, folder })
    }

    /// What the machine has left; none where the server has died.
    pub(super) fn room(&self) -> Option<Room> {
        let now = self.server.snapshot().ok()?;
        let more = now.charged_bytes.saturating_add(self.per_compile);
        Some(Room {
            nobody_waits: now.cells.iter().all(|cell| cell.waiting == 0),
            busy: usize::try_from(now.threads).unwrap_or(usize::MAX),
            memory: now.budget_bytes.is_none_or(|budget| more <= budget),
        })
    }

    /// How the compilers of a cell are. A server that has died has none.
    fn now(&self, cell: &str) -> Compiles {
        let snapshot = self.server.snapshot().unwrap_or_default();
        let Some(cell) = snapshot.cells.iter().find(|it| it.name == cell) else {
            return Compiles::default();
        };
        Compiles {
            done: cell.done,
            total: cell.total,
            running: cell.running.len(),
            memory: ByteSize(cell.running.iter().map(|compile| compile.memory_bytes).sum()),
            waiting: cell.waiting,
            short_of_memory: cell.waiting > 0 && snapshot.threads < u32::from(self.processors),
            remaining: cell.remaining,
        }
    }
}

/// The gate, open for one build.
pub(super) struct OpenGate<'a> {
    open: Open<'a>,
    heard: Receiver<GateEvent>,
    folder: Utf8PathBuf,
}

/// A cell of the gate, closed however its build ends; whoever listens has heard everything then.
struct Open<'a> {
    gate: &'a Gate,
    name: String,
    cell: Option<OpenCell>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // Its last events are told before it is closed.
        drop(self.cell.take());
        self.gate.listeners.lock().remove(&self.name);
    }
}

impl OpenGate<'_> {
    /// Lets the container's own command start behind the gate. What prepares it (conda) comes
    /// before: only then can be seen which compilers there are.
    pub(super) fn stand_before(&self, container: &mut Container, cache: Option<&HeldCache>) {
        let place = Utf8Path::new(paths::GATE);
        let behind = Behind {
            program: &place.join("gate"),
            folder: &place.join(LINKS),
            cuda: Some(Utf8Path::new(paths::CUDA)),
            socket: &place.join(SOCKET),
            cache: cache.map(|cache| cache.show(container)),
        };
        let own = container.command.split_off(compile::OWN_COMMAND);
        container.command.extend(behind.command(&own));
        container.environment.extend(behind.variables());
        container.mounts.push(mount(&self.folder, paths::GATE, true));
    }

    /// Runs the build, and tells meanwhile what the compilers do.
    pub(super) fn watch<T>(
        self,
        mut on_news: impl FnMut(GateNews<'_>) + Send,
        run: impl FnOnce() -> T,
    ) -> (T, Compiled) {
        let Self { open, heard, .. } = self;
        let (gate, name) = (open.gate, open.name.clone());
        thread::scope(|scope| {
            let listening = scope.spawn(move || gate.listen(&name, &heard, &mut on_news));
            let done = run();
            drop(open);
            // A panic was printed when it happened; the build is as good as it is.
            (done, listening.join().unwrap_or_default())
        })
    }
}

impl Gate {
    /// Hears of a cell's compiles until its build is over.
    fn listen(
        &self,
        cell: &str,
        heard: &Receiver<GateEvent>,
        on_news: &mut dyn FnMut(GateNews<'_>),
    ) -> Compiled {
        let mut compiled = Compiled::default();
        let mut told = 0;
        let mut next = Instant::now() + PACE;
        loop {
            let over = match heard.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(trouble) = compiled.take(event) {
                        on_news(GateNews::Trouble(trouble));
                    }
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if over || Instant::now() >= next {
                if told < compiled.records.len() {
                    on_news(GateNews::Ended(&compiled.records[told..]));
                    told = compiled.records.len();
                }
                if over {
                    return compiled;
                }
                on_news(GateNews::Now(self.now(cell)));
                next = Instant::now() + PACE;
            }
        }
    }
}

impl Compiled {
    /// Takes note of an event; what a user should read of it.
    fn take(&mut self, event: GateEvent) -> Option<String> {
        match event {
            GateEvent::Ended { record, again, .. } => {
                let (source, peak) = (&record.source, record.peak_memory);
                let trouble = match record.outcome {
                    Outcome::OutOfMemory if again => Some(format!(
                        "the kernel killed the compiler of {source} for memory, at {peak}; it runs \
                         again with more room"
                    )),
                    Outcome::Stopped => Some(format!(
                        "memory is short: the compiler of {source} was stopped at {peak}, and runs \
                         again when another has ended"
                    )),
                    _ => None,
                };
                self.records.push(record);
                trouble
            }
            GateEvent::Failed { source, failure, .. } => {
                let (peak, budget, alone) = match failure {
                    Failure::TooLarge { peak, budget } => (peak, budget, true),
                    Failure::NotRepeatable { peak } => (peak, None, false),
                };
                let (peak, budget) = (ByteSize(peak), budget.map(ByteSize));
                self.lost.get_or_insert(Lost { source, peak, budget, alone });
                None
            }
            _ => None,
        }
    }
}
