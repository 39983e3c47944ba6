//! The engine: environments from steps, and commands in them.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{ByteSize, Digest};

use super::errand::Errands;
use super::layers::NewLayer;
use super::mode::Mode;
use super::process::{self, Outcome};
use super::program::Program;
use super::refusal::Refusal;
use super::scratch::{Scratch, ScratchSpace};
use super::settings::EmbeddedSettings;
use super::spec::{Request, RootRequest, RunRequest};
use super::translate::translate;
use super::way::Way;
use crate::{
    Base, Cancel, Container, Engine, EngineError, EngineKind, Environment, Exit, GpuSight, Gpus,
    Isolation, MemoryWatch, Mount, OutputSink, PrepareListener, Prepared, Probe, Terminal,
};
use crate::{image, quiet};

/// The engine that needs nothing but the kernel.
#[derive(Debug)]
pub struct EmbeddedEngine {
    pub(super) settings: EmbeddedSettings,
    pub(super) program: Arc<Program>,
    pub(super) mode: Mode,
    pub(super) way: OnceLock<Result<Way, Refusal>>,
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
            way: OnceLock::new(),
            scratch: ScratchSpace::new(settings.scratch.clone(), errands.clone()),
            settings,
            program,
            mode,
            errands,
        }
    }

    /// The layers of steps that are kept, and when each was last used.
    ///
    /// # Errors
    /// No container can be made here.
    pub fn layers(&self) -> Result<Vec<(Digest, SystemTime)>, EngineError> {
        Ok(self.way()?.layers.list())
    }

    /// Removes the layer of a step. It is false, and nothing happens, when somebody uses it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_layer(&self, key: &Digest) -> Result<bool, EngineError> {
        self.way()?.layers.remove(key, &self.errands)
    }

    /// Runs a container of a prepared environment, which stays while it runs.
    fn run_with(
        &self,
        prepared: &Prepared,
        container: &Container,
        cancel: &Cancel,
        run: impl FnOnce(&mut Request) -> Result<Outcome, EngineError>,
    ) -> Result<Exit, EngineError> {
        let way = self.way()?;
        let _locks = prepared
            .layers
            .iter()
            .filter_map(|root: &Utf8PathBuf| way.layers.key_of(Utf8Path::new(root)))
            .map(|key| way.layers.use_layer(&key, cancel))
            .collect::<Result<Vec<_>, _>>()?;
        let scratch = self.scratch.folder()?;
        let mut request =
            self.request(way.isolation, container, prepared, &scratch, None, false)?;
        run(&mut request).map(|outcome| exit(&outcome))
    }

    /// Everything that the helper has to know of a container. It writes into a new layer, or into
    /// its scratch folder.
    pub(super) fn request(
        &self,
        isolation: Isolation,
        container: &Container,
        below: &Prepared,
        scratch: &Scratch<'_>,
        layer: Option<&NewLayer<'_>>,
        packages: bool,
    ) -> Result<Request, EngineError> {
        let host = below.layers.first().is_some_and(|lowest| lowest == "/");
        let steps = below.layers.iter().skip(usize::from(host));
        let (upper, work) = match layer {
            Some(layer) if isolation.has_layers() => (layer.upper(), layer.work()),
            _ => (scratch.path("upper"), scratch.path("work")),
        };
        let mut request = RunRequest {
            isolation,
            mode: self.mode,
            root: RootRequest { host, layers: Vec::new(), upper, work },
            stage: scratch.path("stage"),
            temporary: [scratch.path("tmp"), scratch.path("var-tmp")],
            mounts: container.mounts.clone(),
            hidden: if host { self.settings.hidden.clone() } else { Vec::new() },
            command: container.command.clone(),
            environment: with_defaults(&container.environment, &below.environment),
            directory: container.directory.clone(),
            network: container.network,
            terminal: false,
            packages,
            limits: container.limits,
        };
        if request.directory.as_str().is_empty() {
            request.directory = "/".into();
        }
        if isolation.has_layers() {
            request.root.layers = steps.cloned().collect();
        } else {
            // What steps made, or make, is one folder.
            let made = steps.last().cloned().map(|source| (source, false));
            let making = layer.map(|layer| (layer.upper().join("root"), true));
            request.mounts.extend(making.or(made).map(|(source, writable)| Mount {
                source,
                target: below.folder.clone(),
                writable,
            }));
        }
        if !isolation.has_namespaces() {
            translate(&mut request)?;
        }
        Ok(Request::Run(Box::new(request)))
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
        environment.digest()
    }

    fn prepare(
        &self,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError> {
        self.make(environment, listener, cancel)
    }

    fn look_for_gpus(
        &self,
        _: &Prepared,
        _: &Gpus,
        _: &[(String, String)],
        _: &Cancel,
    ) -> Result<GpuSight, EngineError> {
        Ok(GpuSight::Unseen {
            why: "the embedded engine gives containers none".to_owned(),
            fix: "choose a daemon: `--engine docker` or `--engine podman`".to_owned(),
        })
    }

    fn run(
        &self,
        prepared: &Prepared,
        container: &Container,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        self.run_with(prepared, container, cancel, |request| {
            Ok(process::run(&self.program, request, output, cancel)?)
        })
    }

    /// Those of a program that is gone are ended by their helpers.
    fn vacate(&self, folder: &Utf8Path, cancel: &Cancel) -> Result<(), EngineError> {
        quiet::wait(folder, cancel)
    }

    fn run_at(
        &self,
        prepared: &Prepared,
        container: &Container,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        self.run_with(prepared, container, cancel, |request| {
            if let Request::Run(run) = request {
                run.terminal = true;
            }
            Ok(super::terminal::run(&self.program, request, terminal, cancel)?)
        })
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
pub(super) fn with_defaults(
    own: &[(String, String)],
    defaults: &[(String, String)],
) -> Vec<(String, String)> {
    let set = |name: &str| own.iter().any(|(key, _)| key == name);
    own.iter().chain(defaults.iter().filter(|(name, _)| !set(name))).cloned().collect()
}
