//! Runs one command in a container of the embedded engine, over this machine's own root: for trying
//! the engine by hand, for its tests and for its benchmark.
//!
//! ```text
//! wheelmill-container STATE [OPTION]… COMMAND…
//!   --network                     the command reaches the network
//!   --memory SIZE                 and has no more memory than this
//!   --mount SOURCE:TARGET[:rw]    and sees this of the host
//!   --isolation WORD              kept from the machine like this, not as well as possible
//!   --step SCRIPT                 a layer that is made before, with network
//!   --system-step SCRIPT          a layer in which packages are installed
//! ```
//!
//! STATE is a folder for layers and scratch files.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use camino::Utf8PathBuf;
use wheelmill_engine::{
    Base, Cancel, Container, EmbeddedEngine, EmbeddedSettings, Engine as _, Environment, Mount,
    OutputSink, PrepareListener, Step, Stream, helper_main,
};
use wheelmill_model::NetworkSettings;

type AnyError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    if let Some(code) = helper_main(env::args_os()) {
        return code;
    }
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            // Without standard error nothing can be told.
            drop(writeln!(io::stderr(), "{text}"));
            ExitCode::from(125)
        }
    }
}

fn run() -> Result<u8, AnyError> {
    let mut arguments = env::args().skip(1).peekable();
    let state = Utf8PathBuf::from(arguments.next().ok_or("the folder for state is missing")?);
    let mut steps = Vec::new();
    let mut isolation = None;
    let mut container = Container { directory: "/".into(), ..Container::default() };
    while let Some(option) = arguments.next_if(|argument| argument.starts_with("--")) {
        let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--network" => container.network = true,
            "--memory" => container.limits.memory = Some(value()?.parse()?),
            "--step" => steps.push(step(&value()?, false)),
            "--system-step" => steps.push(step(&value()?, true)),
            "--isolation" => isolation = Some(value()?.parse()?),
            "--mount" => container.mounts.push(mount(&value()?)?),
            _ => return Err(format!("{option} is not an option").into()),
        }
    }
    container.command = arguments.collect();
    let engine = EmbeddedEngine::new(EmbeddedSettings {
        program: Utf8PathBuf::try_from(env::current_exe()?)?,
        layers: state.join("layers"),
        scratch: state.join("scratch"),
        isolation,
        hidden: Vec::new(),
        network: NetworkSettings::default(),
    });
    let base = Base::Host { identity: "by hand".to_owned() };
    let cancel = Cancel::new();
    let root = engine.prepare(
        &Environment { base, steps, folder: "/opt/wheelmill".into() },
        &mut Terminal,
        &cancel,
    )?;
    let exit = engine.run(&root, &container, &mut Terminal, &cancel)?;
    let peak = exit.peak_memory.map_or("unknown".to_owned(), |size| size.to_string());
    // As for all that is said to standard error: nothing is lost when nobody reads it.
    drop(writeln!(
        io::stderr(),
        "code {}, {:.3} s, peak {peak} ({:?}), {} killed for memory",
        exit.code,
        exit.wall.as_secs_f64(),
        exit.watch,
        exit.oom_kills
    ));
    Ok(u8::try_from(exit.code).unwrap_or(255))
}

/// Passes everything on to where it belongs.
struct Terminal;

impl OutputSink for Terminal {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        // When nobody reads it, the command still runs to its end.
        drop(match stream {
            Stream::Stdout => io::stdout().write_all(bytes),
            Stream::Stderr => io::stderr().write_all(bytes),
        });
    }
}

impl PrepareListener for Terminal {
    fn step(&mut self, index: usize, total: usize, _: &Step, cached: bool) {
        let state = if cached { "is there" } else { "is made" };
        drop(writeln!(io::stderr(), "layer {} of {total} {state}", index + 1));
    }

    fn waiting(&mut self, what: &str) {
        drop(writeln!(io::stderr(), "waiting for whoever makes `{what}`"));
    }

    fn base_progress(&mut self, _: &Base, _: u64, _: Option<u64>) {}

    fn output(&mut self) -> &mut dyn OutputSink {
        self
    }
}

fn step(script: &str, system: bool) -> Step {
    Step {
        title: script.to_owned(),
        command: vec!["sh".to_owned(), "-euc".to_owned(), script.to_owned()],
        environment: Vec::new(),
        ambient: Vec::new(),
        inputs: Vec::new(),
        mounts: Vec::new(),
        network: true,
        system,
    }
}

fn mount(text: &str) -> Result<Mount, AnyError> {
    let mut fields = text.split(':');
    let (Some(source), Some(target)) = (fields.next(), fields.next()) else {
        return Err(format!("`{text}` is not SOURCE:TARGET").into());
    };
    let writable = fields.next() == Some("rw");
    Ok(Mount { source: source.into(), target: target.into(), writable })
}
