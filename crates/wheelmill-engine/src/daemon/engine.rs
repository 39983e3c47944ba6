//! The engine over a daemon.

use std::sync::OnceLock;

use wheelmill_model::Digest;

use super::base;
use super::build::{ImageBuild, image_name};
use super::connection::Connection;
use super::container::Run;
use super::dockerfile::Dockerfile;
use super::owner;
use super::settings::DaemonSettings;
use super::traits::Traits;
use crate::image;
use crate::{
    Base, Cancel, Container, Engine, EngineError, EngineKind, Environment, Exit, Finding,
    Isolation, OutputSink, PrepareListener, Prepared, Probe, Severity,
};

/// The engine that lets Docker or Podman run containers.
#[derive(Debug)]
pub struct DaemonEngine {
    settings: DaemonSettings,
    daemon: OnceLock<Daemon>,
}

/// A daemon that has answered.
#[derive(Debug)]
struct Daemon {
    connection: Connection,
    traits: Traits,
}

impl DaemonEngine {
    /// An engine; asks nobody yet.
    #[must_use]
    pub const fn new(settings: DaemonSettings) -> Self {
        Self { settings, daemon: OnceLock::new() }
    }

    /// The daemon. The first time, what dead programs left with it is removed.
    fn daemon(&self) -> Result<&Daemon, EngineError> {
        if let Some(daemon) = self.daemon.get() {
            return Ok(daemon);
        }
        let connection = Connection::find(self.settings.kind, &self.settings.sockets)?;
        let traits = Traits::ask(&connection)?;
        if !traits.is(self.settings.kind) {
            return Err(EngineError::Unable {
                what: format!("a container of {}", self.settings.kind),
                why: format!("what answers at `{}` is another program", connection.socket),
                fix: "choose the engine that answers there with `--engine`".to_owned(),
            });
        }
        owner::sweep(&connection)?;
        Ok(self.daemon.get_or_init(|| Daemon { connection, traits }))
    }

    /// The variables that an image sets.
    fn variables(daemon: &Daemon, image: &str) -> Result<Vec<(String, String)>, EngineError> {
        let found = base::inspect(&daemon.connection, image)?;
        let config = found.and_then(|image| image.config).and_then(|config| config.env);
        let pair = |text: String| {
            text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        Ok(config.unwrap_or_default().into_iter().filter_map(pair).collect())
    }
}

impl Engine for DaemonEngine {
    fn kind(&self) -> EngineKind {
        self.settings.kind
    }

    fn probe(&self) -> Probe {
        let engine = self.settings.kind;
        match self.daemon() {
            Ok(Daemon { connection, traits }) => {
                let rights = if traits.rootless { "rootless" } else { "as root" };
                let (version, socket) = (&traits.version, &connection.socket);
                let mut findings = Vec::new();
                if !traits.memory_limit {
                    findings.push(Finding {
                        severity: Severity::Warning,
                        message: format!("{engine} cannot limit the memory of containers here"),
                        fix: None,
                    });
                }
                Probe {
                    engine,
                    summary: format!("{version}, {rights}, at {socket}"),
                    isolation: Some(Isolation::Overlay),
                    findings,
                }
            }
            Err(error) => {
                let fix = match &error {
                    EngineError::Unable { fix, .. } => Some(fix.clone()),
                    _ => None,
                };
                let finding =
                    Finding { severity: Severity::Problem, message: error.to_string(), fix };
                Probe {
                    engine,
                    summary: "does not answer".to_owned(),
                    isolation: None,
                    findings: vec![finding],
                }
            }
        }
    }

    fn pin(&self, base: &Base) -> Result<Base, EngineError> {
        if let Base::Image(name) = base
            && base.digest().is_err()
            && let Some(found) = base::inspect(&self.daemon()?.connection, name)?
            && let Some(pinned) = base::pinned_name(&found)
        {
            return Ok(Base::Image(pinned));
        }
        image::pin(base, &self.settings.network)
    }

    fn digest(&self, environment: &Environment) -> Result<Digest, EngineError> {
        environment.digest()
    }

    fn prepare(
        &self,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError> {
        let digest = environment.digest()?;
        let daemon = self.daemon()?;
        let Daemon { connection, traits } = daemon;
        let image = if environment.steps.is_empty() {
            base::bring(connection, &environment.base, listener, cancel)?
        } else {
            let image = image_name(&digest);
            if base::inspect(connection, &image)?.is_some() {
                let steps = &environment.steps;
                for (index, step) in steps.iter().enumerate() {
                    listener.step(index, steps.len(), step, true);
                }
            } else {
                let base = base::bring(connection, &environment.base, listener, cancel)?;
                let dockerfile = Dockerfile::new(environment, &base)?;
                let build = ImageBuild { connection, traits, environment, dockerfile: &dockerfile, digest };
                build.run(listener, cancel)?;
            }
            image
        };
        let environment_of_image = Self::variables(daemon, &image)?;
        Ok(Prepared {
            digest,
            layers: vec![image.into()],
            folder: environment.folder.clone(),
            environment: environment_of_image,
        })
    }

    fn run(
        &self,
        prepared: &Prepared,
        container: &Container,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        Run { connection, traits, prepared, container }.run(output, cancel)
    }
}
