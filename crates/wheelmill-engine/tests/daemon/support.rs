//! What checks share: a small root as base, scripts, what was said.

use std::process::Command;
use std::sync::mpsc::Sender;

use camino::Utf8Path;
use testkit::{Daemon, DaemonProgram};
use wheelmill_engine::{
    Base, Cancel, Container, DaemonEngine, DaemonSettings, Engine, EngineError, EngineKind,
    Environment, Exit, OutputSink, PrepareListener, Prepared, Step, Stream,
};
use wheelmill_model::NetworkSettings;

/// An engine of its own for a daemon, as another run of the program has it.
pub(crate) fn engine(daemon: &Daemon) -> DaemonEngine {
    let kind = match daemon.program() {
        DaemonProgram::Docker => EngineKind::Docker,
        DaemonProgram::Podman => EngineKind::Podman,
    };
    DaemonEngine::new(DaemonSettings {
        kind,
        sockets: vec![daemon.socket()],
        images: daemon.path().join("images"),
        cdi: vec![daemon.cdi()],
        network: NetworkSettings::default(),
    })
}

/// A base in which a shell runs, of which the daemon has no image yet.
pub(crate) fn base(engine: &DaemonEngine, daemon: &Daemon) -> Base {
    let path = daemon.path().join("root.tar");
    write_root(&path);
    engine.pin(&Base::Archive { path, digest: None }).unwrap()
}

/// Writes the tar of a root in which a shell runs, with programs and libraries of this machine.
pub(crate) fn write_root(path: &Utf8Path) {
    let script = r#"
        root="$1.folder"; mkdir -p "$root/usr/bin" "$root/etc" "$root/tmp" "$root/proc" "$root/dev" "$root/sys"
        chmod 1777 "$root/tmp"; echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
        ln -s usr/bin "$root/bin"
        for program in cat echo env head id ls mkdir rm sh sleep tail test touch true; do
            file=$(command -v "$program") || continue
            case $file in /*) ;; *) file=/usr/bin/$program ;; esac
            cp -L "$file" "$root/usr/bin/$program"
            for library in $(ldd "$file" | grep -o '/[^ ]*'); do
                mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"
            done
        done
        tar -C "$root" --owner 0 --group 0 --numeric-owner -cf "$1" .
        rm -r "$root"
    "#;
    let output = Command::new("sh").args(["-euc", script, "sh", path.as_str()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A step that runs a script.
pub(crate) fn step(title: &str, script: &str) -> Step {
    Step {
        title: title.to_owned(),
        command: ["/bin/sh", "-euc", script].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        ambient: Vec::new(),
        inputs: Vec::new(),
        mounts: Vec::new(),
        network: true,
        system: false,
    }
}

/// A container that runs a script.
pub(crate) fn shell(script: &str) -> Container {
    Container {
        command: ["sh", "-euc", script].map(str::to_owned).to_vec(),
        directory: "/".into(),
        ..Container::default()
    }
}

/// An environment on a base, prepared; and for each step whether it was there.
pub(crate) fn prepare(
    engine: &dyn Engine,
    base: &Base,
    steps: Vec<Step>,
) -> (Result<Prepared, EngineError>, Vec<bool>) {
    let environment = Environment { base: base.clone(), steps, folder: "/opt/x".into() };
    let mut listener = Listener::default();
    let prepared = engine.prepare(&environment, &mut listener, &Cancel::new());
    (prepared, listener.cached)
}

/// How a container ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a container.
pub(crate) fn run(engine: &dyn Engine, prepared: &Prepared, container: &Container) -> Ran {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut sink = |stream: Stream, bytes: &[u8]| match stream {
        Stream::Stdout => stdout.extend_from_slice(bytes),
        Stream::Stderr => stderr.extend_from_slice(bytes),
    };
    let exit = engine.run(prepared, container, &mut sink, &Cancel::new()).unwrap();
    Ran {
        exit,
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
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

/// Raises a flag as soon as the container speaks.
pub(crate) struct CancelOnOutput(pub(crate) Cancel);

impl OutputSink for CancelOnOutput {
    fn output(&mut self, _: Stream, _: &[u8]) {
        self.0.cancel();
    }
}
