//! Runs a command with the gate before its compilers: for trying the gate by hand, and for its
//! benchmarks.
//!
//! ```text
//! behind [OPTION]… -- COMMAND…
//!   --cpus N         processors; all of them
//!   --memory SIZE    what compilers may use; what is available
//!   --cuda TOOLKIT   a toolkit whose nvcc is to be stood before
//!   --history FILE   learns from this file, and adds what was compiled to it
//!   --trace FILE     writes a trace for Chrome or Perfetto
//!   --quiet          does not tell each compile
//! ```

use std::collections::BTreeSet;
use std::env;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode};
use std::sync::mpsc::channel;

use camino::Utf8PathBuf;
use wheelmill_gate::{
    Behind, CellSettings, CompileRecord, GateEvent, Learned, Server, ServerSettings, write_program,
    write_trace,
};
use wheelmill_model::ByteSize;

type AnyError = Box<dyn std::error::Error>;

#[derive(Default)]
struct Options {
    cpus: Option<u16>,
    memory: Option<ByteSize>,
    cuda: Option<Utf8PathBuf>,
    history: Option<Utf8PathBuf>,
    trace: Option<Utf8PathBuf>,
    quiet: bool,
    command: Vec<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, AnyError> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
            match option.as_str() {
                "--cpus" => options.cpus = Some(value()?.parse()?),
                "--memory" => options.memory = Some(value()?.parse()?),
                "--cuda" => options.cuda = Some(value()?.into()),
                "--history" => options.history = Some(value()?.into()),
                "--trace" => options.trace = Some(value()?.into()),
                "--quiet" => options.quiet = true,
                "--" => {
                    options.command = arguments.collect();
                    return Ok(options);
                }
                _ => return Err(format!("{option} is not an option").into()),
            }
        }
        Err("the command is missing: write it after `--`".into())
    }
}

fn main() -> ExitCode {
    match Options::read(env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::from(125)
        }
    }
}

fn run(options: &Options) -> Result<u8, AnyError> {
    let state = tempfile::tempdir()?;
    let folder = Utf8PathBuf::try_from(state.path().to_owned())?;
    let mut records = match &options.history {
        Some(history) if history.exists() => {
            serde_json::from_str::<Vec<CompileRecord>>(&fs_err::read_to_string(history)?)?
        }
        _ => Vec::new(),
    };
    let mut learned = Learned::default();
    records.iter().for_each(|record| learned.learn(record));
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let cpus = options.cpus.unwrap_or(u16::try_from(all).unwrap_or(u16::MAX));
    let settings = ServerSettings { memory: options.memory, ..ServerSettings::with_cpus(cpus) };
    let (sender, events) = channel();
    let quiet = options.quiet;
    let listener = move |event: &GateEvent| {
        if !quiet {
            describe(event);
        }
        if let GateEvent::Ended { record, .. } = event {
            // The receiver lives until the server is gone.
            drop(sender.send(record.clone()));
        }
    };
    let server = Server::start(settings, learned, Box::new(listener))?;
    let socket = folder.join("socket");
    let (name, package) = ("by hand".to_owned(), "by hand".to_owned());
    let sources: BTreeSet<String> = records.iter().map(|record| record.source.clone()).collect();
    let sources = sources.into_iter().collect();
    let cell = server.open(CellSettings { name, package, sources, socket: socket.clone() })?;
    let (program, links) = (write_program(&folder)?, folder.join("links"));
    let behind = Behind {
        program: &program,
        folder: &links,
        cuda: options.cuda.as_deref(),
        socket: &socket,
        cache: None,
    };
    let words = behind.command(&options.command);
    let (first, rest) = words.split_first().ok_or("a command has a first word")?;
    let status = Command::new(first).args(rest).envs(behind.variables()).status()?;
    drop(cell);
    drop(server);
    let new: Vec<CompileRecord> = events.iter().collect();
    if let Some(trace) = &options.trace {
        write_trace(&new, &mut fs_err::File::create(trace)?)?;
    }
    records.extend(new);
    if let Some(history) = &options.history {
        fs_err::write(history, serde_json::to_string(&records)?)?;
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
}

fn describe(event: &GateEvent) {
    match event {
        GateEvent::Ended { record, .. } => tell(&format!(
            "gate: {} {:?}: {:.1} s after {:.1} s, {} of {} charged",
            record.source,
            record.outcome,
            record.wall.as_secs_f64(),
            record.waited.as_secs_f64(),
            record.peak_memory,
            record.estimate,
        )),
        GateEvent::Pressure { pressure, .. } => tell(&format!("gate: memory is {pressure:?}")),
        GateEvent::Waiting { .. } | GateEvent::Started { .. } | GateEvent::Failed { .. } => {}
    }
}

fn tell(text: &str) {
    // Without standard error nothing can be told.
    drop(writeln!(io::stderr(), "{text}"));
}
