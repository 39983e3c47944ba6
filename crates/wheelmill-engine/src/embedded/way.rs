//! Which isolation this machine allows: the best that works, found by trying.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use wheelmill_model::Digest;

use super::engine::EmbeddedEngine;
use super::layers::LayerStore;
use super::process::{self, HelperError};
use super::refusal::{Refusal, explain};
use super::spec::Operation;
use crate::{
    Cancel, Container, EngineError, Hold, Isolation, MemoryWatch, Mount, Prepared, Stream,
};

/// Names the folders of the host's root that cannot be changed in the container.
const SCRIPT: &str = "for folder in /etc /opt /usr /var; do \
     if test -d $folder && ! test -w $folder; then echo $folder; fi; done";

/// How containers are made on this machine.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) isolation: Isolation,
    /// Where its layers are kept. They cannot be exchanged: owners, marks and paths differ.
    pub(super) layers: LayerStore,
    /// Why nothing better works.
    pub(super) refused: Option<Refusal>,
    /// How memory is watched.
    pub(super) watch: MemoryWatch,
    /// System folders that cannot be changed although the isolation has layers.
    pub(super) closed: Vec<String>,
}

impl EmbeddedEngine {
    /// The way on which this engine makes containers.
    pub(super) fn way(&self) -> Result<&Way, EngineError> {
        self.tried().as_ref().map_err(|refusal| EngineError::Unable {
            what: "a container".to_owned(),
            why: refusal.message.clone(),
            fix: refusal.fix.clone().unwrap_or_else(|| "choose another machine".to_owned()),
        })
    }

    /// The way, or why there is none; tried once.
    pub(super) fn tried(&self) -> &Result<Way, Refusal> {
        self.way.get_or_init(|| self.find_way())
    }

    fn find_way(&self) -> Result<Way, Refusal> {
        let wished = self.settings.isolation;
        let mut refused: Option<Refusal> = None;
        for isolation in Isolation::ALL {
            let skipped = wished.is_some_and(|wished| wished != isolation)
                || isolation.has_namespaces()
                    && refused.as_ref().is_some_and(|refusal| !refusal.of_overlays);
            if skipped {
                continue;
            }
            match self.try_isolation(isolation) {
                Ok((watch, closed)) => {
                    let layers = self.layers_of(isolation);
                    return Ok(Way { isolation, layers, refused, watch, closed });
                }
                // What the best of them lacks is what is worth mending.
                Err(refusal) => {
                    refused.get_or_insert(refusal);
                }
            }
        }
        Err(refused.expect("one was tried"))
    }

    fn try_isolation(&self, isolation: Isolation) -> Result<(MemoryWatch, Vec<String>), Refusal> {
        let tried = self.try_container(isolation, false)?;
        // Steps write to another disk, which may not take what overlays write.
        if isolation.has_layers() && device(&self.settings.layers) != device(&self.settings.scratch)
        {
            self.try_container(isolation, true)?;
        }
        Ok(tried)
    }

    fn layers_of(&self, isolation: Isolation) -> LayerStore {
        let (layers, mode) = (&self.settings.layers, self.mode.folder());
        match isolation {
            Isolation::Overlay => LayerStore::new(layers, mode),
            Isolation::ReadOnly => LayerStore::new(layers, &format!("read-only-{mode}")),
            // Both see the host's paths, and write them into scripts.
            Isolation::Landlock | Isolation::Process => LayerStore::in_place(layers, "process"),
        }
    }

    /// Makes a container that writes where containers write, or where steps do. Returns how its
    /// memory was watched, and the folders that it could not change.
    fn try_container(
        &self,
        isolation: Isolation,
        as_step: bool,
    ) -> Result<(MemoryWatch, Vec<String>), Refusal> {
        let failed = |error: &dyn std::error::Error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            Refusal::new(format!("{error}{cause}"), None)
        };
        let layers = self.layers_of(isolation);
        let scratch = self.scratch.folder().map_err(|error| failed(&error))?;
        let key = Digest::of(format!("probe {}", std::process::id()).as_bytes());
        let layer = as_step
            .then(|| layers.begin(&key, &self.errands))
            .transpose()
            .map_err(|error| failed(&error))?;
        let root = Prepared {
            digest: key,
            layers: vec!["/".into()],
            folder: "/opt/wheelmill".into(),
            environment: Vec::new(),
            hold: Hold::default(),
        };
        let mut container = Container {
            command: ["sh", "-c", SCRIPT].map(str::to_owned).to_vec(),
            ..Container::default()
        };
        if !isolation.has_layers() {
            // What steps make is shown in its place, which the host need not have.
            let (source, target) = (scratch.path("upper"), root.folder.clone());
            container.mounts.push(Mount { source, target, writable: true });
        }
        let request = self
            .request(isolation, &container, &root, &scratch, layer.as_ref(), false)
            .map_err(|error| failed(&error))?;
        let mut said = Vec::new();
        let mut output = |_: Stream, bytes: &[u8]| said.extend_from_slice(bytes);
        match process::run(&self.program, &request, &mut output, &Cancel::new()) {
            Ok(outcome) => Ok((
                outcome.ended.watch.unwrap_or(MemoryWatch::None),
                String::from_utf8_lossy(&said).lines().map(str::to_owned).collect(),
            )),
            Err(HelperError::Process(error)) => {
                let program = &self.settings.program;
                Err(Refusal::new(format!("`{program}` could not be run again: {error}"), None))
            }
            Err(HelperError::Failed(failure)) => {
                let folder = if as_step { &self.settings.layers } else { &self.settings.scratch };
                let of_overlays = matches!(failure.operation, Operation::Overlay(_));
                Err(Refusal { of_overlays, ..explain(&failure, self.mode, folder) })
            }
        }
    }
}

/// The device that a folder, or the nearest one above that is there, lies on.
fn device(folder: &Utf8Path) -> Option<u64> {
    folder.ancestors().find_map(|folder| Some(folder.metadata().ok()?.dev()))
}
