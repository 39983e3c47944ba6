//! Builds the image of an environment.

use std::collections::HashMap;
use std::io;

use bollard::Docker;
use bollard::body_full;
use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt as _;
use wheelmill_model::Digest;

use super::connection::Connection;
use super::dockerfile::{Content, Dockerfile};
use super::failure::gone;
use super::traits::Traits;
use crate::{Cancel, EngineError, Environment, Exit, MemoryWatch, PrepareListener, Stream};

/// The label with the whole digest of the environment that an image holds.
pub(super) const ENVIRONMENT: &str = "dev.wheelmill.environment";

/// The name of an environment's image.
pub(super) fn image_name(digest: &Digest) -> String {
    format!("localhost/wheelmill/environment:{}", &digest.to_string()[..24])
}

/// An image to be built.
pub(super) struct ImageBuild<'a> {
    pub(super) connection: &'a Connection,
    pub(super) traits: &'a Traits,
    pub(super) environment: &'a Environment,
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) digest: Digest,
}

impl ImageBuild<'_> {
    /// Builds it, and tells what happens.
    pub(super) fn run(
        &self,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let context = context(self.dockerfile).map_err(|source| EngineError::Start {
            step: "pack what its image is built from".to_owned(),
            source,
        })?;
        let mut follower = Follower { build: self, step: None, told: false, tail: String::new() };
        self.connection.long(cancel, async |docker| {
            self.follow(&docker, context, &mut follower, listener).await
        })
    }

    async fn follow(
        &self,
        docker: &Docker,
        context: Vec<u8>,
        follower: &mut Follower<'_>,
        listener: &mut dyn PrepareListener,
    ) -> Result<(), EngineError> {
        let labels = HashMap::from([(ENVIRONMENT, self.digest.to_string())]);
        let labels: HashMap<&str, &str> =
            labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let arguments: HashMap<&str, &str> = self
            .dockerfile
            .arguments
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let name = image_name(&self.digest);
        let options = BuildImageOptionsBuilder::default()
            .dockerfile("Dockerfile")
            .t(&name)
            .labels(&labels)
            .buildargs(&arguments)
            .networkmode(self.traits.network)
            .rm(true)
            .forcerm(true)
            .build();
        let mut news = docker.build_image(options, None, Some(body_full(context.into())));
        while let Some(piece) = news.next().await {
            match piece {
                Ok(BuildInfo { error_detail: Some(error), .. }) => {
                    return Err(follower.failed(&error.message.unwrap_or_default()));
                }
                Ok(BuildInfo { stream: Some(text), .. }) => follower.say(&text, listener),
                Ok(_) => {}
                Err(bollard::errors::Error::DockerStreamError { error }) => {
                    return Err(follower.failed(&error));
                }
                Err(error) => return Err(gone(self.connection, error)),
            }
        }
        Ok(())
    }
}

/// Understands what a builder says.
struct Follower<'a> {
    build: &'a ImageBuild<'a>,
    /// The step whose command runs, and whether the listener knows of it.
    step: Option<usize>,
    told: bool,
    tail: String,
}

impl Follower<'_> {
    fn say(&mut self, text: &str, listener: &mut dyn PrepareListener) {
        if let Some(instruction) = instruction(text) {
            self.tell(false, listener);
            let runs = &self.build.dockerfile.runs;
            self.step = runs.get(instruction - 1).copied().flatten();
            self.told = false;
            self.tail.clear();
            return;
        }
        let line = text.trim();
        if line.contains("Using cache") {
            self.tell(true, listener);
        } else if line.starts_with("---> Running in") {
            self.tell(false, listener);
        } else if !line.is_empty() && !line.starts_with("---> ") && !line.starts_with("--> ") {
            self.tell(false, listener);
            if self.step.is_some() {
                listener.output().output(Stream::Stdout, text.as_bytes());
                self.tail.push_str(text);
            }
        }
    }

    fn tell(&mut self, cached: bool, listener: &mut dyn PrepareListener) {
        let steps = &self.build.environment.steps;
        if let Some(index) = self.step
            && !self.told
        {
            self.told = true;
            listener.step(index, steps.len(), &steps[index], cached);
        }
    }

    /// What it means that the build ended with this message.
    fn failed(&self, message: &str) -> EngineError {
        let steps = &self.build.environment.steps;
        let number = |text: &str| text.trim().trim_end_matches('.').parse::<i32>().ok();
        let code = ["non-zero code: ", "exit status ", "exit code: "]
            .iter()
            .find_map(|before| number(message.rsplit_once(before)?.1));
        match (self.step, code) {
            (Some(step), Some(code)) => EngineError::Step {
                title: steps[step].title.clone(),
                exit: Exit {
                    code,
                    peak_memory: None,
                    oom_kills: u64::from(code == 137),
                    watch: MemoryWatch::None,
                    wall: std::time::Duration::ZERO,
                    cancelled: false,
                },
                tail: self.tail.clone(),
            },
            _ => EngineError::Daemon {
                kind: self.build.connection.kind,
                message: message.trim().to_owned(),
            },
        }
    }
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
    let mut text = |name: &str, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes())
    };
    text("Dockerfile", &dockerfile.text)?;
    for (name, content) in &dockerfile.files {
        if let Content::Text(script) = content {
            text(name, script)?;
        }
    }
    for (name, content) in &dockerfile.files {
        if let Content::File(path) = content {
            // Times and owners differ between machines, and would keep the builder from finding
            // what it has built before.
            let mut file = std::fs::File::open(path)?;
            let found = file.metadata()?;
            let mut header = tar::Header::new_gnu();
            header.set_size(found.len());
            header.set_mode(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o755 | 0o444);
            tar.append_data(&mut header, name, &mut file)?;
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
