//! Builds with BuildKit, for Dockerfiles that Docker's classic builder does not understand.
//!
//! BuildKit wants a session of several protocols with its client, so Docker's own client leads it:
//! `docker build` does so by itself from version 23 on, with its part buildx, and by a variable
//! since 18.09.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::context::DOCKERFILE;
use crate::daemon::connection::Connection;
use crate::{Cancel, EngineError, ImageBuild, OutputSink, Stream};

/// How often the caller's wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Options of instructions that only BuildKit knows.
const OPTIONS: [&str; 9] = [
    "--checksum=",
    "--chmod=",
    "--exclude=",
    "--keep-git-dir",
    "--link",
    "--mount=",
    "--network=",
    "--parents",
    "--security=",
];

/// Whether a Dockerfile says something that only BuildKit understands: it names a syntax, an
/// instruction has one of its options, or a text stands in it (`<<EOF`).
pub(in crate::daemon) fn is_needed(dockerfile: &str) -> bool {
    let mut directives = true;
    dockerfile.lines().any(|line| {
        let line = line.trim_start();
        if let Some(comment) = line.strip_prefix('#') {
            let name = comment.split_once('=').map(|(name, _)| name.trim());
            return directives && name.is_some_and(|name| name.eq_ignore_ascii_case("syntax"));
        }
        directives = false;
        let mut words = line.split_ascii_whitespace();
        let instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        if !["RUN", "COPY", "ADD"].contains(&instruction.as_str()) {
            return false;
        }
        let mut options = words.clone().take_while(|word| word.starts_with("--"));
        options.any(|word| OPTIONS.iter().any(|option| word.starts_with(option)))
            || words.any(is_text)
    })
}

/// Whether a word begins a text in the Dockerfile: `<<EOF`, `<<-"EOF"`; not the arithmetic `1<<2`.
fn is_text(word: &str) -> bool {
    let Some(name) = word.strip_prefix("<<") else { return false };
    let name = name.trim_start_matches('-').trim_start_matches(['"', '\'']);
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
}

/// What became of a build.
pub(in crate::daemon) enum Led {
    /// The image is there.
    Built,
    /// The client's last words.
    Failed(String),
    /// There is no client, or one from which the part for it, buildx, is missing.
    NoClient,
}

/// Has Docker's client build an image from a packed context.
pub(in crate::daemon) fn build(
    connection: &Connection,
    build: &ImageBuild,
    packed: File,
    network: &str,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<Led, EngineError> {
    let failed = |step: &str| {
        let step = step.to_owned();
        move |source| EngineError::Start { step, source }
    };
    let mut command = Command::new("docker");
    command
        .args(["--host", &format!("unix://{}", connection.socket), "build", "--progress=plain"])
        .args(["--tag", &build.name, "--file", DOCKERFILE, "--network", network])
        .args(build.fresh.then_some("--no-cache"));
    for (name, value) in &build.arguments {
        // Without a value the client takes it from its environment: others see its arguments.
        command.args(["--build-arg", name]).env(name, value);
    }
    command
        .arg("-")
        .env("DOCKER_BUILDKIT", "1")
        // Other builders keep what they build to themselves.
        .env("BUILDX_BUILDER", "default")
        .env_remove("DOCKER_CONTEXT")
        .stdin(packed)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut client = match command.spawn() {
        Ok(client) => client,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Led::NoClient),
        Err(error) => return Err(failed("run Docker's client")(error)),
    };
    let tail = follow(&mut client, output, cancel);
    if cancel.is_cancelled() {
        // The daemon stops the build when its client is gone.
        drop(client.kill());
    }
    let status = client.wait().map_err(failed("wait for Docker's client"))?;
    match status.success() {
        _ if cancel.is_cancelled() => Err(EngineError::Cancelled),
        true => Ok(Led::Built),
        false if tail.contains("buildx component is missing") => Ok(Led::NoClient),
        false => Ok(Led::Failed(reason(&tail))),
    }
}

/// Passes on what a client says, until it has ended or nobody wants it any more; its last words.
fn follow(client: &mut Child, output: &mut dyn OutputSink, cancel: &Cancel) -> String {
    let (sender, receiver) = channel();
    if let Some(pipe) = client.stdout.take() {
        read(Stream::Stdout, pipe, sender.clone());
    }
    if let Some(pipe) = client.stderr.take() {
        read(Stream::Stderr, pipe, sender);
    }
    let mut tail = String::new();
    while !cancel.is_cancelled() {
        match receiver.recv_timeout(LOOK) {
            Ok((stream, piece)) => {
                output.output(stream, &piece);
                tail.push_str(&String::from_utf8_lossy(&piece));
                let surplus = tail.len().saturating_sub(TAIL);
                let cut = (surplus..=tail.len()).find(|place| tail.is_char_boundary(*place));
                tail.drain(..cut.unwrap_or(0));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    tail
}

/// How much of a client's words is remembered, in bytes.
const TAIL: usize = 4096;

/// Reads a pipe in a thread of its own, to its end.
fn read(stream: Stream, mut pipe: impl Read + Send + 'static, to: Sender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if to.send((stream, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// The sentence with which a client ends.
fn reason(tail: &str) -> String {
    let is_reason = |line: &&str| line.starts_with("ERROR:") || line.starts_with("error:");
    let line = tail.lines().rfind(is_reason).or_else(|| tail.lines().last()).unwrap_or_default();
    let line = line.trim_start_matches("ERROR:").trim_start_matches("error:");
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_buildkit_understands_is_seen() {
        for text in [
            "# syntax=docker/dockerfile:1\nFROM a",
            "FROM a\nRUN --mount=type=cache,target=/root/.cache pip install x",
            "FROM a\nCOPY --link --chown=1 b /c",
            "FROM a\nRUN <<EOF\necho\nEOF",
            "FROM a\ncopy <<-\"END\" /file\ntext\nEND",
        ] {
            assert!(is_needed(text), "{text}");
        }
        for text in [
            "FROM a\n# syntax=docker/dockerfile:1\nRUN echo",
            "FROM a\nRUN echo $((1 << 2)) $((1<<2)) --mount=x\nCOPY --chown=1 --from=b c d",
            "FROM a\nENV X=<<EOF",
        ] {
            assert!(!is_needed(text), "{text}");
        }
    }

    #[test]
    fn the_last_error_is_the_reason() {
        let said = "#5 ERROR: x\n------\nerror: failed to solve: process \"/bin/sh -c false\" did \
                    not complete successfully: exit code: 7\n";
        assert!(reason(said).ends_with("exit code: 7"));
        assert!(reason(said).starts_with("failed to solve"));
    }
}
