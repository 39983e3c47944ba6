//! How long a container takes to start: `true` on the host and in containers, in turn, so that what
//! else the machine does weighs on all alike.
//!
//! ```text
//! cargo bench -p wheelmill-engine --bench startup [ROUNDS]
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use wheelmill_engine::{
    Cancel, Container, EmbeddedEngine, EmbeddedSettings, Engine as _, Hold, Prepared, Stream,
    helper_main,
};
use wheelmill_model::{Digest, NetworkSettings};

fn main() -> ExitCode {
    if let Some(code) = helper_main(env::args_os()) {
        return code;
    }
    let rounds = env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(50);
    let state = tempfile::tempdir().expect("a temporary folder can be made");
    let state = Utf8PathBuf::try_from(state.path().to_owned()).expect("its path is text");
    let engine = EmbeddedEngine::new(EmbeddedSettings {
        program: env::current_exe().expect("Linux").try_into().expect("the path is text"),
        layers: state.join("layers"),
        scratch: state.join("scratch"),
        isolation: None,
        hidden: Vec::new(),
        network: NetworkSettings::default(),
    });
    let root = Prepared {
        digest: Digest::of(b""),
        layers: vec!["/".into()],
        folder: "/opt/wheelmill".into(),
        environment: Vec::new(),
        hold: Hold::default(),
    };
    let container = |network: bool| {
        let container = Container {
            command: vec!["true".to_owned()],
            directory: "/".into(),
            network,
            ..Container::default()
        };
        let mut output = |_: Stream, _: &[u8]| {};
        let exit = engine.run(&root, &container, &mut output, &Cancel::new());
        assert_eq!(exit.expect("the container starts").code, 0);
    };
    let host = || {
        assert!(Command::new("true").status().expect("there is `true`").success());
    };
    let (mut on_host, mut alone, mut networked) = (Vec::new(), Vec::new(), Vec::new());
    // The first makes the copy of the program and reads files into memory.
    container(false);
    for _ in 0..rounds {
        on_host.push(time(host));
        alone.push(time(|| container(false)));
        networked.push(time(|| container(true)));
    }
    println!("`true`, {rounds} rounds: median and shortest");
    for (name, times) in [
        ("on the host", &mut on_host),
        ("in a container", &mut alone),
        ("in a container with network", &mut networked),
    ] {
        times.sort();
        let (median, shortest) = (times[times.len() / 2], times[0]);
        println!("{name:30} {:8.1} ms {:8.1} ms", milliseconds(median), milliseconds(shortest));
    }
    ExitCode::SUCCESS
}

fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
