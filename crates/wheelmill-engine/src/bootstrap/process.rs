//! Runs a program that may take minutes, with its output live, and stops it when asked to.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::{Cancel, OutputSink, Stream};

/// How often the caller's wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a command to its end; none when the caller wanted it to stop.
pub(super) fn run(
    command: &mut Command,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> io::Result<Option<ExitStatus>> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take().map(|pipe| read(Stream::Stdout, pipe, sender.clone()));
    let stderr = child.stderr.take().map(|pipe| read(Stream::Stderr, pipe, sender));
    let mut cancelled = false;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok((stream, bytes)) => output.output(stream, &bytes),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !cancelled && cancel.is_cancelled() {
            cancelled = true;
            child.kill()?;
        }
    }
    for reader in [stdout, stderr].into_iter().flatten() {
        // A thread that has panicked has said so.
        drop(reader.join());
    }
    let status = child.wait()?;
    Ok((!cancelled).then_some(status))
}

fn read(
    stream: Stream,
    mut pipe: impl Read + Send + 'static,
    sender: Sender<(Stream, Vec<u8>)>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if sender.send((stream, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    })
}
