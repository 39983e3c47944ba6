//! Runs one command in a container of the embedded engine, over this machine's own root: for trying
//! the engine by hand, for its tests and for its benchmark.
//!
//! ```text
//! wheelmill-container STATE [--network] [--memory SIZE] [--mount SOURCE:TARGET[:rw]]… COMMAND…
//! ```
//!
//! STATE is a folder for layers and scratch files.

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use camino::Utf8PathBuf;
use wheelmill_engine::{
    Cancel, Container, EmbeddedEngine, EmbeddedSettings, Engine as _, Mount, Prepared, Stream,
    helper_main,
};
use wheelmill_model::{Digest, NetworkSettings};

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
    let mut container = Container { directory: "/".into(), ..Container::default() };
    while let Some(option) = arguments.next_if(|argument| argument.starts_with("--")) {
        let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--network" => container.network = true,
            "--memory" => container.limits.memory = Some(value()?.parse()?),
            "--mount" => container.mounts.push(mount(&value()?)?),
            _ => return Err(format!("{option} is not an option").into()),
        }
    }
    container.command = arguments.collect();
    let engine = EmbeddedEngine::new(EmbeddedSettings {
        program: Utf8PathBuf::try_from(env::current_exe()?)?,
        layers: state.join("layers"),
        scratch: state.join("scratch"),
        hidden: Vec::new(),
        network: NetworkSettings::default(),
    });
    let root = Prepared { digest: Digest::of(b""), layers: vec!["/".into()] };
    let mut output = |stream: Stream, bytes: &[u8]| {
        // When nobody reads it, the command still runs to its end.
        drop(match stream {
            Stream::Stdout => io::stdout().write_all(bytes),
            Stream::Stderr => io::stderr().write_all(bytes),
        });
    };
    let exit = engine.run(&root, &container, &mut output, &Cancel::new())?;
    tracing::debug!(?exit, "the container has ended");
    Ok(u8::try_from(exit.code).unwrap_or(255))
}

fn mount(text: &str) -> Result<Mount, AnyError> {
    let mut fields = text.split(':');
    let (Some(source), Some(target)) = (fields.next(), fields.next()) else {
        return Err(format!("`{text}` is not SOURCE:TARGET").into());
    };
    let writable = fields.next() == Some("rw");
    Ok(Mount { source: source.into(), target: target.into(), writable })
}
