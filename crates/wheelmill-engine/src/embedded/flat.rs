//! Environments where no layer can lie over the machine's root: one folder that all steps fill, one
//! after the other.

use super::engine::EmbeddedEngine;
use super::layers::Place;
use super::way::Way;
use crate::{
    Base, Cancel, EngineError, Environment, Hold, Isolation, PrepareListener, Prepared, Step,
};

impl EmbeddedEngine {
    /// Makes what is missing of an environment, in one piece.
    pub(super) fn make_flat(
        &self,
        way: &Way,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError> {
        if let Some(what) = beyond(environment) {
            return Err(unable(way, what));
        }
        let mut prepared = Prepared {
            digest: environment.base.digest()?,
            layers: vec!["/".into()],
            folder: environment.folder.clone(),
            environment: Vec::new(),
            hold: Hold::default(),
        };
        let steps = &environment.steps;
        let key = environment.digest()?;
        if steps.is_empty() {
            return Ok(prepared);
        }
        let titles: Vec<&str> = steps.iter().map(|step| step.title.as_str()).collect();
        let titles = titles.join(", ");
        let place = way.layers.find(&key, cancel, &mut || listener.waiting(&titles))?;
        let cached = matches!(place, Place::Ready(_));
        let tell = |listener: &mut dyn PrepareListener, index: usize, step: &Step| {
            listener.step(index, steps.len(), step, cached);
        };
        let used = match place {
            Place::Ready(lock) => {
                for (index, step) in steps.iter().enumerate() {
                    tell(listener, index, step);
                }
                lock
            }
            Place::Missing(lock) => {
                let layer = way.layers.begin(&key, &self.errands)?;
                for (index, step) in steps.iter().enumerate() {
                    tell(listener, index, step);
                    self.run_step(way, step, &layer, &prepared, listener.output(), cancel)?;
                }
                layer.finish()?;
                way.layers.made(&key, lock, cancel)?
            }
        };
        used.describe(&titles);
        prepared.hold = Hold::of(vec![used.into_file()]);
        prepared.digest = key;
        prepared.layers.push(way.layers.root(&key));
        Ok(prepared)
    }
}

/// What of an environment needs layers over the machine's root.
fn beyond(environment: &Environment) -> Option<String> {
    if !matches!(environment.base, Base::Host { .. }) {
        return Some(format!("`{}` as base", environment.base));
    }
    let step = environment.steps.iter().find(|step| step.system)?;
    Some(format!("the step `{}`", step.title))
}

fn unable(way: &Way, what: String) -> EngineError {
    let chosen = || format!("the isolation `{}` was chosen", way.isolation);
    let refused = way.refused.as_ref();
    let mend = refused
        .and_then(|refusal| refusal.fix.clone())
        .unwrap_or_else(|| format!("choose the isolation `{}`", Isolation::Overlay));
    EngineError::Unable {
        what,
        why: refused.map_or_else(chosen, |refusal| refusal.message.clone()),
        fix: format!("install what is missing on this machine, or {mend}"),
    }
}
