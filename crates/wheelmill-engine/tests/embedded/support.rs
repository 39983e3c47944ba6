//! Runs a test once for every way in which the engine can work on this machine.
//!
//! Root can do all of them: for the ways of users, the test program runs itself again as one. Who
//! is not root tests his own way only, and is told so.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::Uid;
use wheelmill_engine::{
    Base, Cancel, Container, EmbeddedEngine, EmbeddedSettings, Engine as _, EngineError,
    Environment, Exit, Isolation, OutputSink, PrepareListener, Prepared, Severity, Step, Stream,
};
use wheelmill_model::NetworkSettings;

/// Tells a test program that it was started again as another user, and where its state is.
const STATE: &str = "WHEELMILL_TEST_STATE";

/// Set where every test must run: what cannot be tested is then a failure.
const CI: &str = "WHEELMILL_CI";

/// A user that is on no machine, and so has no subordinate identities.
const NOBODY: u32 = 54_321;

/// A user that is made for tests in which there are subordinate identities.
const MAPPED_USER: &str = "wheelmill-test";

/// Runs a test for every way. `name` is the test's own full name.
pub(crate) fn everywhere(name: &str, test: fn(&Machine)) {
    everywhere_in(&env::temp_dir(), name, &|state| here(Machine::new(state.to_owned()), test));
}

/// As [`everywhere`], and for every isolation.
pub(crate) fn however_isolated(name: &str, test: fn(&Machine)) {
    let here = |state: &Utf8Path| {
        for isolation in Isolation::ALL {
            let own = state.join(isolation.as_str());
            fs::create_dir(&own).unwrap();
            here(Machine::with(own, Some(isolation)), test);
        }
    };
    everywhere_in(&env::temp_dir(), name, &here);
}

/// As [`everywhere`], for tests that make thousands of folders: in memory, where that is possible.
pub(crate) fn everywhere_in_memory(name: &str, test: fn(&Machine)) {
    let memory = Path::new("/dev/shm");
    // Overlays of users need attributes that a file system in memory has since Linux 6.6.
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let new = (numbers.next(), numbers.next()) >= (Some(6), Some(6));
    let disk = env::temp_dir();
    let place = if new && memory.is_dir() { memory } else { &disk };
    everywhere_in(place, name, &|state| here(Machine::new(state.to_owned()), test));
}

/// Runs a test, which is given a folder, as everybody that is to be tested.
fn everywhere_in(place: &Path, name: &str, here: &dyn Fn(&Utf8Path)) {
    if let Some(state) = env::var_os(STATE) {
        here(Utf8Path::from_path(Path::new(&state)).unwrap());
        return;
    }
    let state = tempfile::tempdir_in(place).unwrap();
    let folder = Utf8Path::from_path(state.path()).unwrap();
    if !Uid::effective().is_root() {
        cannot("root's way cannot be tested: this is not root");
        here(folder);
        return;
    }
    here(folder);
    as_user(place, name, NOBODY);
    match MappedUser::new() {
        Some(user) => as_user(place, name, user.uid),
        None => eprintln!("NOT TESTED: there is no newuidmap, so no user has other identities"),
    }
}

/// Runs a test as who this is, if he can make containers at all.
fn here(machine: Machine, test: fn(&Machine)) {
    let findings = machine.engine.probe().findings;
    match findings.iter().find(|finding| finding.severity == Severity::Problem) {
        Some(problem) => cannot(&problem.message),
        None => test(&machine),
    }
}

/// Says that something is not tested; where everything must be, fails.
pub(crate) fn cannot(what: &str) {
    assert!(env::var_os(CI).is_none(), "{what}");
    eprintln!("NOT TESTED: {what}");
}

fn as_user(place: &Path, name: &str, uid: u32) {
    // The programs may lie where the user cannot read.
    let state = tempfile::tempdir_in(place).unwrap();
    fs::set_permissions(state.path(), Permissions::from_mode(0o755)).unwrap();
    let own = state.path().join("state");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(uid), Some(uid)).unwrap();
    let program = state.path().join("test");
    // Not by this process: another thread could fork while the copy is open for writing, and a
    // file that is cannot be executed.
    for (from, to) in [(&env::current_exe().unwrap(), "test"), (&HELPER.into(), "helper")] {
        let status = Command::new("cp").arg(from).arg(state.path().join(to)).status().unwrap();
        assert!(status.success(), "cp: {status}");
    }
    let status = Command::new("setpriv")
        .args(["--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups"])
        .arg(program)
        .args(["--exact", name, "--nocapture"])
        .env(STATE, &own)
        .env("TMPDIR", &own)
        .stdout(Stdio::null())
        .current_dir("/")
        .status()
        .unwrap();
    assert!(status.success(), "as user {uid}: {status}");
}

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_wheelmill-container");

/// A user with subordinate identities, while some test needs one.
struct MappedUser {
    uid: u32,
    lock: File,
}

impl MappedUser {
    fn new() -> Option<Self> {
        if !Path::new("/usr/bin/newuidmap").exists() || !Path::new("/usr/bin/newgidmap").exists() {
            return None;
        }
        let lock = File::create(env::temp_dir().join("wheelmill-test-user.lock")).unwrap();
        lock.lock().unwrap();
        if uid_of(MAPPED_USER).is_none() {
            let status = Command::new("useradd")
                .args([
                    "--no-create-home",
                    "-K",
                    "SUB_UID_COUNT=65536",
                    "-K",
                    "SUB_GID_COUNT=65536",
                ])
                .arg(MAPPED_USER)
                .status()
                .unwrap();
            assert!(status.success(), "useradd: {status}");
        }
        // Shared from now on: the last to let go removes the user.
        lock.unlock().unwrap();
        lock.lock_shared().unwrap();
        Some(Self { uid: uid_of(MAPPED_USER)?, lock })
    }
}

impl Drop for MappedUser {
    fn drop(&mut self) {
        self.lock.unlock().unwrap();
        if self.lock.try_lock().is_ok() {
            drop(Command::new("userdel").arg(MAPPED_USER).stderr(Stdio::null()).status());
        }
    }
}

fn uid_of(name: &str) -> Option<u32> {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

/// An engine with a place for its state.
pub(crate) struct Machine {
    pub(crate) engine: EmbeddedEngine,
    pub(crate) state: Utf8PathBuf,
    /// The isolation, where it is not to be the best.
    pub(crate) isolation: Option<Isolation>,
}

impl Machine {
    fn new(state: Utf8PathBuf) -> Self {
        Self::with(state, None)
    }

    fn with(state: Utf8PathBuf, isolation: Option<Isolation>) -> Self {
        Self { engine: EmbeddedEngine::new(settings(&state, isolation)), state, isolation }
    }

    /// An empty folder of the host that the container's user may write to.
    pub(crate) fn folder(&self, name: &str) -> Utf8PathBuf {
        let folder = self.state.join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// The host's root, with some steps.
    pub(crate) fn prepare(&self, steps: Vec<Step>) -> Result<Prepared, EngineError> {
        self.engine.prepare(&environment(steps), &mut Listener::default(), &Cancel::new())
    }

    /// Runs a container over the host's root.
    pub(crate) fn run(&self, container: &Container) -> Ran {
        self.run_in(&self.prepare(Vec::new()).unwrap(), container)
    }

    /// Runs a container.
    pub(crate) fn run_in(&self, prepared: &Prepared, container: &Container) -> Ran {
        let mut text = Vec::new();
        let mut sink = |_: Stream, bytes: &[u8]| text.extend_from_slice(bytes);
        let exit = self.engine.run(prepared, container, &mut sink, &Cancel::new()).unwrap();
        Ran { exit, text: String::from_utf8(text).unwrap() }
    }

    /// What a script in a container over the host's root says; it must end well.
    pub(crate) fn says(&self, script: &str) -> String {
        self.run(&shell(script)).text()
    }
}

/// An engine that keeps everything in one folder.
pub(crate) fn engine(state: &Utf8Path) -> EmbeddedEngine {
    EmbeddedEngine::new(settings(state, None))
}

/// An engine that also hides some folders of the host.
pub(crate) fn engine_that_hides(state: &Utf8Path, hidden: Vec<Utf8PathBuf>) -> EmbeddedEngine {
    EmbeddedEngine::new(EmbeddedSettings { hidden, ..settings(state, None) })
}

/// The settings of an engine that keeps everything in one folder.
pub(crate) fn settings(state: &Utf8Path, isolation: Option<Isolation>) -> EmbeddedSettings {
    // Beside a test program that was copied, there is a copy of the helper.
    let copy = env::current_exe().unwrap().with_file_name("helper");
    let program = if env::var_os(STATE).is_some() { copy } else { HELPER.into() };
    EmbeddedSettings {
        program: Utf8PathBuf::try_from(program).unwrap(),
        layers: state.join("layers"),
        scratch: state.join("scratch"),
        isolation,
        hidden: Vec::new(),
        network: NetworkSettings::default(),
    }
}

/// How a container ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Ran {
    /// What was said, by a command that must have ended well.
    pub(crate) fn text(self) -> String {
        assert!(self.exit.success(), "{self:?}");
        self.text
    }
}

/// A container that runs a script.
pub(crate) fn shell(script: &str) -> Container {
    Container {
        command: vec!["sh".to_owned(), "-euc".to_owned(), script.to_owned()],
        directory: "/".into(),
        ..Container::default()
    }
}

/// A step that runs a script.
pub(crate) fn step(script: &str) -> Step {
    Step {
        title: script.to_owned(),
        command: vec!["sh".to_owned(), "-euc".to_owned(), script.to_owned()],
        environment: Vec::new(),
        ambient: Vec::new(),
        inputs: Vec::new(),
        mounts: Vec::new(),
        network: false,
        system: false,
    }
}

/// The host's root with some steps.
pub(crate) fn environment(steps: Vec<Step>) -> Environment {
    Environment { base: Base::Host { identity: "test".to_owned() }, steps, folder: "/made".into() }
}

/// Remembers what it is told.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) cached: Vec<bool>,
    pub(crate) text: Collector,
    /// Told what is waited for.
    pub(crate) waits: Option<Sender<String>>,
}

#[derive(Default)]
pub(crate) struct Collector(pub(crate) Vec<u8>);

impl OutputSink for Collector {
    fn output(&mut self, _: Stream, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl PrepareListener for Listener {
    fn step(&mut self, _: usize, _: usize, _: &Step, cached: bool) {
        self.cached.push(cached);
    }

    fn waiting(&mut self, what: &str) {
        if let Some(waits) = &self.waits {
            waits.send(what.to_owned()).unwrap();
        }
    }

    fn base_progress(&mut self, _: &Base, _: u64, _: Option<u64>) {}

    fn output(&mut self) -> &mut dyn OutputSink {
        &mut self.text
    }
}

/// The processes of this machine with a text in their command line.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let mut line = Vec::new();
        let file = File::open(entry.path().join("cmdline"));
        if file.is_ok_and(|mut file| file.read_to_end(&mut line).is_ok())
            && String::from_utf8_lossy(&line).contains(text)
            && process != std::process::id()
        {
            found.push(process);
        }
    }
    found
}
