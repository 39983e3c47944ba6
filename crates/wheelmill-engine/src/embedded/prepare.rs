//! Environments: a base, and steps that become layers on it.

use std::fs::File;
use std::path::Path;

use camino::Utf8PathBuf;
use wheelmill_model::{Digest, DigestBuilder};

use super::engine::{EmbeddedEngine, exit};
use super::layers::{LayerLock, NewLayer, Place, failed};
use super::process;
use super::system;
use super::way::Way;
use crate::image::{self, LayerRequest, UnpackJob};
use crate::tail::TailSink;
use crate::{
    Base, Cancel, Container, EngineError, Environment, Hold, Mount, OutputSink, PrepareListener,
    Prepared, Step, lock,
};

impl EmbeddedEngine {
    /// Makes what is missing of an environment.
    pub(super) fn make(
        &self,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError> {
        let way = self.way()?;
        if !way.isolation.has_layers() {
            return self.make_flat(way, environment, listener, cancel);
        }
        let base = environment.base.digest()?;
        let (layers, mut held) = self.base_layers(&environment.base, listener, cancel)?;
        let variables = self.base_environment(&environment.base, cancel)?;
        let folder = environment.folder.clone();
        let hold = Hold::default();
        let mut prepared = Prepared { digest: base, layers, folder, environment: variables, hold };
        // Layers that are built upon stay while others are made.
        let mut used = Vec::new();
        if self.mode.user_attributes() && environment.steps.iter().any(|step| step.system) {
            let host = matches!(environment.base, Base::Host { .. });
            let key = DigestBuilder::new("system/1").field("base", base.as_bytes()).finish();
            used.push(self.make_system_layer(way, &key, host, cancel)?);
            prepared.layers.push(way.layers.root(&key));
        }
        let total = environment.steps.len();
        for (index, step) in environment.steps.iter().enumerate() {
            let key = step.key(&prepared.digest);
            let place = way.layers.find(&key, cancel, &mut || listener.waiting(&step.title))?;
            listener.step(index, total, step, matches!(place, Place::Ready(_)));
            let lock = match place {
                Place::Ready(lock) => lock,
                Place::Missing(lock) => {
                    let layer = way.layers.begin(&key, &self.errands)?;
                    let stubs =
                        self.run_step(way, step, &layer, &prepared, listener.output(), cancel)?;
                    layer.remove_stubs(&stubs);
                    layer.finish()?;
                    way.layers.made(&key, lock, cancel)?
                }
            };
            lock.describe(&step.title);
            used.push(lock);
            prepared.digest = key;
            prepared.layers.push(way.layers.root(&key));
        }
        held.extend(used.into_iter().map(LayerLock::into_file));
        prepared.hold = Hold::of(held);
        Ok(prepared)
    }

    /// The folders of a base, lowest first, and what keeps them; the host's is `/`.
    fn base_layers(
        &self,
        base: &Base,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<(Vec<Utf8PathBuf>, Vec<File>), EngineError> {
        if matches!(base, Base::Host { .. }) {
            return Ok((vec![Utf8PathBuf::from("/")], Vec::new()));
        }
        let request = LayerRequest {
            base,
            store: &self.settings.layers,
            mode: self.mode.attributes(),
            network: &self.settings.network,
            cancel,
        };
        let mut progress = |done, total| listener.base_progress(base, done, total);
        let mut unpack = |job: &UnpackJob| self.errands.unpack(job, cancel);
        loop {
            let layers = image::layers_with(&request, &mut progress, &mut unpack)?;
            let mut held = Vec::new();
            for layer in &layers {
                let lock = lock::beside(layer);
                let file = lock::wait(&lock, File::try_lock_shared, cancel, &mut || {})
                    .map_err(failed("lock", &lock))?;
                let file = file.ok_or(EngineError::Cancelled)?;
                lock::note_use(&file, &base.to_string());
                held.push(file);
            }
            // Else somebody has removed one in the moment before the lock.
            if layers.iter().all(|layer| layer.exists()) {
                return Ok((layers, held));
            }
        }
    }

    /// The variables that a base wishes for.
    pub(super) fn base_environment(
        &self,
        base: &Base,
        cancel: &Cancel,
    ) -> Result<Vec<(String, String)>, EngineError> {
        if matches!(base, Base::Host { .. }) {
            return Ok(Vec::new());
        }
        let (store, network) = (&self.settings.layers, &self.settings.network);
        Ok(image::config(base, store, network, cancel)?.env)
    }

    /// The layer that lets a user's container change its system folders; made when missing.
    fn make_system_layer(
        &self,
        way: &Way,
        key: &Digest,
        host: bool,
        cancel: &Cancel,
    ) -> Result<LayerLock, EngineError> {
        let lock = match way.layers.find(key, cancel, &mut || {})? {
            Place::Ready(lock) => return Ok(lock),
            Place::Missing(lock) => lock,
        };
        let layer = way.layers.begin(key, &self.errands)?;
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
        way.layers.made(key, lock, cancel)
    }

    /// Runs a step that writes into a new layer. Returns what was made there to mount things on.
    pub(super) fn run_step(
        &self,
        way: &Way,
        step: &Step,
        layer: &NewLayer<'_>,
        below: &Prepared,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Vec<Utf8PathBuf>, EngineError> {
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
            ..Container::default()
        };
        let request =
            self.request(way.isolation, &container, below, &scratch, Some(layer), step.system)?;
        let mut sink = TailSink::new(output);
        let outcome = process::run(&self.program, &request, &mut sink, cancel)?;
        let exit = exit(&outcome);
        if exit.cancelled {
            return Err(EngineError::Cancelled);
        }
        if !exit.success() {
            let tail = sink.tail();
            return Err(EngineError::Step { title: step.title.clone(), exit, tail });
        }
        Ok(outcome.stubs)
    }
}
