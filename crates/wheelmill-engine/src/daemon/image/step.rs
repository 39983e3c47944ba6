//! Builds the image of a step.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bollard::Docker;
use bollard::body_full;
use bollard::errors::Error;
use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt as _;
use wheelmill_model::Digest;

use super::dockerfile::{Content, Dockerfile};
use crate::daemon::connection::Connection;
use crate::daemon::failure::{gone, refused, still_there};
use crate::daemon::label::{self, OWNER, STEP, TITLE};
use crate::daemon::sweep;
use crate::daemon::traits::Traits;
use crate::{Cancel, EngineError, Exit, MemoryWatch, OutputSink, Step, Stream};

/// Where the images of steps have their names. No registry of others can ever serve them.
pub(in crate::daemon) const ENVIRONMENTS: &str = "localhost/wheelmill/environment";

/// The name of the image that ends with a step.
pub(in crate::daemon) fn image_name(key: &Digest) -> String {
    format!("{ENVIRONMENTS}:{}", &key.to_string()[..24])
}

/// A step of which the image is to be built.
pub(in crate::daemon) struct StepBuild<'a> {
    pub(in crate::daemon) connection: &'a Connection,
    pub(in crate::daemon) traits: &'a Traits,
    pub(in crate::daemon) step: &'a Step,
    pub(in crate::daemon) key: Digest,
    /// The image below.
    pub(in crate::daemon) from: &'a str,
}

impl StepBuild<'_> {
    /// Builds it, and passes on what its command says. When it fails, nothing of it is left.
    pub(in crate::daemon) fn run(
        &self,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let labels = [
            (STEP, self.key.to_string()),
            (OWNER, label::this_process()),
            (TITLE, self.step.title.replace(['"', '\\', '$', '\n'], " ")),
        ];
        let dockerfile = Dockerfile::new(self.step, self.from, &labels)?;
        let context = context(&dockerfile).map_err(|source| EngineError::Start {
            step: "pack what its image is built from".to_owned(),
            source,
        })?;
        let built = self
            .connection
            .long(cancel, async |docker| self.follow(&docker, &dockerfile, context, output).await);
        if built.is_err()
            && let Err(error) = sweep::remove_unnamed(self.connection, &self.key)
        {
            tracing::warn!(%error, "could not remove what a failed step has left");
        }
        built
    }

    async fn follow(
        &self,
        docker: &Docker,
        dockerfile: &Dockerfile,
        context: Vec<u8>,
        output: &mut dyn OutputSink,
    ) -> Result<(), EngineError> {
        let arguments: HashMap<&str, &str> = dockerfile
            .arguments
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let options = BuildImageOptionsBuilder::default()
            .dockerfile("Dockerfile")
            .t(&image_name(&self.key))
            .buildargs(&arguments)
            .networkmode(if self.step.network { self.traits.network } else { "none" })
            // What is the same was found by its name; what the builder remembers may be half done.
            .nocache(true)
            .rm(true)
            .forcerm(true)
            .build();
        let mut follower =
            Follower { last: dockerfile.instructions, runs: false, tail: String::new() };
        let mut news = docker.build_image(options, None, Some(body_full(context.into())));
        while let Some(piece) = news.next().await {
            match piece {
                Ok(BuildInfo { error_detail: Some(error), .. }) => {
                    still_there(self.connection, docker).await?;
                    return Err(self.failed(&error.message.unwrap_or_default(), follower));
                }
                Ok(BuildInfo { stream: Some(text), .. }) => follower.say(&text, output),
                Ok(_) => {}
                Err(Error::DockerStreamError { error }) => {
                    still_there(self.connection, docker).await?;
                    return Err(self.failed(&error, follower));
                }
                Err(error) => return Err(gone(self.connection, error)),
            }
        }
        Ok(())
    }

    /// What it means that the build ended with this message.
    fn failed(&self, message: &str, follower: Follower) -> EngineError {
        match exit_in(message) {
            Some(exit) if follower.runs => {
                EngineError::Step { title: self.step.title.clone(), exit, tail: follower.tail }
            }
            _ => refused(self.connection.kind, message),
        }
    }
}

/// How a command of a Dockerfile ended, when that is what a builder's message is about.
pub(in crate::daemon) fn exit_in(message: &str) -> Option<Exit> {
    let number = |text: &str| text.trim().trim_end_matches('.').parse::<i32>().ok();
    let code = ["non-zero code: ", "exit status ", "exit code: "]
        .iter()
        .find_map(|before| number(message.rsplit_once(before)?.1))?;
    Some(Exit {
        code,
        peak_memory: None,
        oom_kills: 0,
        watch: MemoryWatch::None,
        wall: Duration::ZERO,
        cancelled: false,
    })
}

/// Understands what a builder says.
struct Follower {
    /// The number of the instruction that runs the step.
    last: usize,
    /// Whether it has begun.
    runs: bool,
    /// What the step has said.
    tail: String,
}

impl Follower {
    fn say(&mut self, text: &str, output: &mut dyn OutputSink) {
        if let Some(instruction) = instruction(text) {
            self.runs = instruction == self.last;
        } else if self.runs && !is_talk(text) {
            output.output(Stream::Stdout, text.as_bytes());
            self.tail.push_str(text);
        }
    }
}

/// Whether a line is the builder's own.
fn is_talk(text: &str) -> bool {
    let line = text.trim_start();
    line.starts_with("---> ")
        || line.starts_with("--> ")
        || line.starts_with("Removing intermediate")
}

/// The number of the instruction that begins: `Step 3/9 : RUN …`, `STEP 3/9: RUN …`.
fn instruction(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("Step ").or_else(|| text.strip_prefix("STEP "))?;
    let (number, _) = rest.split_once('/')?;
    number.parse().ok().filter(|number| *number > 0)
}

/// The Dockerfile and its files, as the tar that builders take.
fn context(dockerfile: &Dockerfile) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, name, bytes)
    };
    add("Dockerfile", 0o644, dockerfile.text.as_bytes())?;
    for (name, content) in &dockerfile.files {
        match content {
            Content::Text(script) => add(name, 0o644, script.as_bytes())?,
            Content::File(path) => {
                let mode = fs_err::metadata(path)?.permissions().mode();
                add(name, mode & 0o755 | 0o444, &fs_err::read(path)?)?;
            }
        }
    }
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_both_builders_are_understood() {
        assert_eq!(instruction("Step 3/9 : RUN sh"), Some(3));
        assert_eq!(instruction("STEP 12/14: COPY a b"), Some(12));
        assert_eq!(instruction("Stepping 1/2"), None);
    }
}
