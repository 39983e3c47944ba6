//! The engine: environments from steps, and commands in them.

use std::sync::Arc;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{ByteSize, Digest};

use super::errand::Errands;
use super::layers::{LayerStore, NewLayer};
use super::mode::Mode;
use super::process::{self, Outcome};
use super::program::Program;
use super::scratch::{Scratch, ScratchSpace};
use super::settings::EmbeddedSettings;
use super::spec::{Request, RootRequest, RunRequest};
use crate::image;
use crate::{
    Base, Cancel, Container, Engine, EngineError, EngineKind, Environment, Exit, MemoryWatch,
    OutputSink, PrepareListener, Prepared, Probe,
};

/// The engine that needs nothing but the kernel.
#[derive(Debug)]
pub struct EmbeddedEngine {
    pub(super) settings: EmbeddedSettings,
    pub(super) program: Arc<Program>,
    pub(super) mode: Mode,
    pub(super) layers: LayerStore,
    pub(super) errands: Errands,
    pub(super) scratch: ScratchSpace,
}

impl EmbeddedEngine {
    /// An engine. Finds out what rights this process has, and touches nothing.
    #[must_use]
    pub fn new(settings: EmbeddedSettings) -> Self {
        let mode = Mode::detect();
        let program = Arc::new(Program::new(settings.program.clone()));
        let errands = Errands { program: Arc::clone(&program), mode };
        Self {
            layers: LayerStore::new(&settings.layers, mode.folder()),
            scratch: ScratchSpace::new(settings.scratch.clone(), errands.clone()),
            settings,
            program,
            mode,
            errands,
        }
    }

    /// The layers of steps that are kept, and when each was last used.
    #[must_use]
    pub fn layers(&self) -> Vec<(Digest, SystemTime)> {
        self.layers.list()
    }

    /// Removes the layer of a step. It is false, and nothing happens, when somebody uses it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_layer(&self, key: &Digest) -> Result<bool, EngineError> {
        self.layers.remove(key, &self.errands)
    }

    /// Everything that the helper has to know of a container. It writes into a new layer, or into
    /// its scratch folder.
    pub(super) fn request(
        &self,
        container: &Container,
        below: &Prepared,
        scratch: &Scratch<'_>,
        layer: Option<&NewLayer<'_>>,
        packages: bool,
    ) -> Request {
        let (upper, work) = match layer {
            Some(layer) => (layer.upper(), layer.work()),
            None => (scratch.path("upper"), scratch.path("work")),
        };
        let host = below.layers.first().is_some_and(|lowest| lowest == "/");
        let directory = if container.directory.as_str().is_empty() {
            Utf8PathBuf::from("/")
        } else {
            container.directory.clone()
        };
        Request::Run(Box::new(RunRequest {
            mode: self.mode,
            root: RootRequest {
                host,
                layers: below.layers.iter().skip(usize::from(host)).cloned().collect(),
                upper,
                work,
            },
            stage: scratch.path("stage"),
            temporary: [scratch.path("tmp"), scratch.path("var-tmp")],
            mounts: container.mounts.clone(),
            hidden: if host { self.settings.hidden.clone() } else { Vec::new() },
            command: container.command.clone(),
            environment: with_defaults(&container.environment, &below.environment),
            directory,
            network: container.network,
            packages,
            limits: container.limits,
        }))
    }
}

impl Engine for EmbeddedEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Embedded
    }

    fn probe(&self) -> Probe {
        self.try_out()
    }

    fn pin(&self, base: &Base) -> Result<Base, EngineError> {
        image::pin(base, &self.settings.network)
    }

    fn variables(&self, base: &Base) -> Result<Vec<(String, String)>, EngineError> {
        self.base_environment(base, &Cancel::new())
    }

    fn digest(&self, environment: &Environment) -> Result<Digest, EngineError> {
        let base = Self::base_digest(&environment.base)?;
        Ok(environment.steps.iter().fold(base, |parent, step| step.key(&parent)))
    }

    fn prepare(
        &self,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError> {
        self.make(environment, listener, cancel)
    }

    fn run(
        &self,
        prepared: &Prepared,
        container: &Container,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let _locks = prepared
            .layers
            .iter()
            .filter_map(|root: &Utf8PathBuf| self.layers.key_of(Utf8Path::new(root)))
            .map(|key| self.layers.use_layer(&key, cancel))
            .collect::<Result<Vec<_>, _>>()?;
        let scratch = self.scratch.folder()?;
        let request = self.request(container, prepared, &scratch, None, false);
        let outcome = process::run(&self.program, &request, output, cancel)?;
        Ok(exit(&outcome))
    }
}

pub(super) fn exit(outcome: &Outcome) -> Exit {
    Exit {
        code: outcome.ended.code,
        peak_memory: outcome.ended.peak_memory.map(ByteSize),
        oom_kills: outcome.ended.oom_kills,
        watch: outcome.ended.watch.unwrap_or(MemoryWatch::None),
        wall: outcome.wall,
        cancelled: outcome.cancelled,
    }
}

/// Variables, and those others that they do not set.
fn with_defaults(own: &[(String, String)], defaults: &[(String, String)]) -> Vec<(String, String)> {
    let set = |name: &str| own.iter().any(|(key, _)| key == name);
    own.iter().chain(defaults.iter().filter(|(name, _)| !set(name))).cloned().collect()
}
