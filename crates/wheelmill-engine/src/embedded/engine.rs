//! The engine: environments from steps, and commands in them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{ByteSize, Digest, DigestBuilder};

use super::layers::{LayerLock, LayerStore, NewLayer, Place};
use super::mode::Mode;
use super::process::{self, Outcome};
use super::program::Program;
use super::scratch::{Remover, Scratch, ScratchSpace};
use super::settings::EmbeddedSettings;
use super::spec::{Request, RootRequest, RunRequest};
use super::system;
use crate::image;
use crate::{
    Base, Cancel, Container, Engine, EngineError, EngineKind, Environment, Exit, Limits,
    MemoryWatch, Mount, OutputSink, PrepareListener, Prepared, Probe, Step, Stream,
};

/// How much of a failed step's output an error repeats, in bytes.
const TAIL: usize = 8 * 1024;

/// The engine that needs nothing but the kernel.
#[derive(Debug)]
pub struct EmbeddedEngine {
    settings: EmbeddedSettings,
    program: Arc<Program>,
    mode: Mode,
    layers: LayerStore,
    remover: Remover,
    scratch: ScratchSpace,
}

impl EmbeddedEngine {
    /// An engine. Finds out what rights this process has, and touches nothing.
    #[must_use]
    pub fn new(settings: EmbeddedSettings) -> Self {
        let mode = Mode::detect();
        let program = Arc::new(Program::new(settings.program.clone()));
        let remover = Remover { program: Arc::clone(&program), mode };
        Self {
            layers: LayerStore::new(&settings.layers, mode.folder()),
            scratch: ScratchSpace::new(settings.scratch.clone(), remover.clone()),
            settings,
            program,
            mode,
            remover,
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
        self.layers.remove(key, &self.remover)
    }

    /// The digest of a base, the parent of the first step.
    fn base_digest(base: &Base) -> Result<Digest, EngineError> {
        let (kind, content) = match base {
            Base::Host { identity } => ("host", identity.clone()),
            Base::Image(reference) => match reference.split_once("@sha256:") {
                Some((_, digest)) => ("image", digest.to_owned()),
                None => return Err(EngineError::NotPinned(base.to_string())),
            },
            Base::Archive { digest: Some(digest), .. } => ("archive", digest.to_string()),
            Base::Archive { digest: None, .. } => {
                return Err(EngineError::NotPinned(base.to_string()));
            }
        };
        Ok(DigestBuilder::new("base/1").field(kind, content).finish())
    }

    /// The folders of a base, lowest first; the host's is `/`.
    fn base_layers(
        &self,
        base: &Base,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Vec<Utf8PathBuf>, EngineError> {
        if matches!(base, Base::Host { .. }) {
            return Ok(vec![Utf8PathBuf::from("/")]);
        }
        let attributes = self.mode.attributes();
        let mut progress = |done, total| listener.base_progress(base, done, total);
        let (store, network) = (&self.settings.layers, &self.settings.network);
        image::layers(base, store, attributes, network, &mut progress, cancel)
    }

    /// The layer that lets a user's container change its system folders; made when missing.
    fn make_system_layer(
        &self,
        key: &Digest,
        host: bool,
        cancel: &Cancel,
    ) -> Result<LayerLock, EngineError> {
        let lock = match self.layers.find(key, cancel)? {
            Place::Ready(lock) => return Ok(lock),
            Place::Missing(lock) => lock,
        };
        let layer = self.layers.begin(key, &self.remover)?;
        let upper = layer.upper();
        let made = if host {
            system::prepare_host(upper.as_std_path(), Path::new("/"), self.mode)
        } else {
            system::prepare_image(upper.as_std_path())
        };
        made.map_err(|source| EngineError::Files {
            action: "prepare the system folders in",
            path: upper,
            source,
        })?;
        layer.finish()?;
        self.layers.made(key, lock, cancel)
    }

    /// Runs a step and keeps what it changed as a layer.
    fn make_layer(
        &self,
        step: &Step,
        key: &Digest,
        below: &[Utf8PathBuf],
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let layer = self.layers.begin(key, &self.remover)?;
        let scratch = self.scratch.folder()?;
        let inputs = step.inputs.iter().map(|input| Mount {
            source: input.source.clone(),
            target: input.target.clone(),
            writable: false,
        });
        let container = Container {
            command: step.command.clone(),
            environment: step.environment.iter().chain(&step.ambient).cloned().collect(),
            directory: "/".into(),
            mounts: inputs.chain(step.mounts.iter().cloned()).collect(),
            network: step.network,
            limits: Limits::default(),
        };
        let request = self.request(&container, below, &scratch, Some((step, &layer)));
        let mut sink = TailSink { output, tail: VecDeque::new() };
        let outcome = process::run(&self.program, &request, &mut sink, cancel)?;
        let exit = exit(&outcome);
        if exit.cancelled {
            return Err(EngineError::Cancelled);
        }
        if !exit.success() {
            let tail = sink.tail();
            return Err(EngineError::Step { title: step.title.clone(), exit, tail });
        }
        layer.remove_stubs(&outcome.stubs);
        layer.finish()
    }

    /// Everything that the helper has to know of a container. A step writes into its new layer, all
    /// others into their scratch folder.
    fn request(
        &self,
        container: &Container,
        below: &[Utf8PathBuf],
        scratch: &Scratch<'_>,
        step: Option<(&Step, &NewLayer<'_>)>,
    ) -> Request {
        let (upper, work) = match step {
            Some((_, layer)) => (layer.upper(), layer.work()),
            None => (scratch.path("upper"), scratch.path("work")),
        };
        let host = below.first().is_some_and(|lowest| lowest == "/");
        let directory = if container.directory.as_str().is_empty() {
            Utf8PathBuf::from("/")
        } else {
            container.directory.clone()
        };
        Request::Run(Box::new(RunRequest {
            mode: self.mode,
            root: RootRequest {
                host,
                layers: below.iter().skip(usize::from(host)).cloned().collect(),
                upper,
                work,
            },
            stage: scratch.path("stage"),
            temporary: [scratch.path("tmp"), scratch.path("var-tmp")],
            mounts: container.mounts.clone(),
            hidden: if host { self.settings.hidden.clone() } else { Vec::new() },
            command: container.command.clone(),
            environment: container.environment.clone(),
            directory,
            network: container.network,
            packages: step.is_some_and(|(step, _)| step.system),
            limits: container.limits,
        }))
    }
}

impl Engine for EmbeddedEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Embedded
    }

    fn probe(&self) -> Probe {
        Probe { engine: EngineKind::Embedded, summary: String::new(), findings: Vec::new() }
    }

    fn pin(&self, base: &Base) -> Result<Base, EngineError> {
        image::pin(base, &self.settings.network)
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
        let mut digest = Self::base_digest(&environment.base)?;
        let mut layers = self.base_layers(&environment.base, listener, cancel)?;
        // Layers that are built upon stay while this one is made.
        let mut used = Vec::new();
        if self.mode.is_user() && environment.steps.iter().any(|step| step.system) {
            let host = matches!(environment.base, Base::Host { .. });
            let key = DigestBuilder::new("system/1").field("base", digest.as_bytes()).finish();
            used.push(self.make_system_layer(&key, host, cancel)?);
            layers.push(self.layers.root(&key));
        }
        let total = environment.steps.len();
        for (index, step) in environment.steps.iter().enumerate() {
            digest = step.key(&digest);
            let place = self.layers.find(&digest, cancel)?;
            listener.step(index, total, step, matches!(place, Place::Ready(_)));
            used.push(match place {
                Place::Ready(lock) => lock,
                Place::Missing(lock) => {
                    self.make_layer(step, &digest, &layers, listener.output(), cancel)?;
                    self.layers.made(&digest, lock, cancel)?
                }
            });
            layers.push(self.layers.root(&digest));
        }
        Ok(Prepared { digest, layers })
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
        let request = self.request(container, &prepared.layers, &scratch, None);
        let outcome = process::run(&self.program, &request, output, cancel)?;
        Ok(exit(&outcome))
    }
}

fn exit(outcome: &Outcome) -> Exit {
    Exit {
        code: outcome.ended.code,
        peak_memory: outcome.ended.peak_memory.map(ByteSize),
        oom_kills: outcome.ended.oom_kills,
        watch: outcome.ended.watch.unwrap_or(MemoryWatch::None),
        wall: outcome.wall,
        cancelled: outcome.cancelled,
    }
}

/// Passes output on and remembers its end.
struct TailSink<'a> {
    output: &'a mut dyn OutputSink,
    tail: VecDeque<u8>,
}

impl TailSink<'_> {
    /// The last whole lines.
    fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match text.split_once('\n') {
            Some((_, whole)) if bytes.len() == TAIL => whole.to_owned(),
            _ => text,
        }
    }
}

impl OutputSink for TailSink<'_> {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.output.output(stream, bytes);
    }
}
