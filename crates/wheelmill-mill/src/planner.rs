//! Finds out where each cell of a wish stands.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use wheelmill_engine::Step;
use wheelmill_model::Digest;
use wheelmill_recipe::{Cell, Planned, Recipe, Source};
use wheelmill_store::{Expectations, Store, StoreError};

use crate::defaults::Open;
use crate::environment::choose;
use crate::error::MillError;
use crate::lock::{self, Lock};
use crate::mill::Mill;
use crate::plan::{CellKind, CellState, Ground, PlannedCell, RecipeCell};
use crate::warning::warnings;

/// Plans the cells of one package.
pub(crate) struct Planner<'a> {
    mill: &'a Mill,
    store: Option<&'a Store>,
    recipe: Arc<Recipe>,
    recipe_digest: Digest,
    open: Open,
    expectations: Option<Expectations>,
    /// Every lock of the store, read at once: a matrix has thousands of cells and few are locked.
    locks: HashMap<Digest, Arc<Lock>>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(
        mill: &'a Mill,
        store: Option<&'a Store>,
        recipe: Recipe,
        open: Open,
    ) -> Result<Self, StoreError> {
        let expectations = store.map(|store| store.expectations(&recipe.name)).transpose()?;
        let stored = store.map(Store::locks).transpose()?.unwrap_or_default();
        let locks = stored
            .into_iter()
            // A lock of an older format is as good as none.
            .filter_map(|stored| {
                Some((stored.request, Arc::new(serde_json::from_str(&stored.text).ok()?)))
            })
            .collect();
        let recipe_digest = lock::recipe_digest(&recipe);
        Ok(Self { mill, store, recipe: Arc::new(recipe), recipe_digest, open, expectations, locks })
    }

    /// Where a cell stands.
    pub(crate) fn plan(&self, planned: Planned) -> Result<PlannedCell, MillError> {
        let Planned { cell, impossible } = planned;
        let base = self.mill.base(cell.cuda);
        let chosen = if impossible.is_empty() {
            choose(
                &cell,
                &self.recipe,
                &base,
                &self.mill.host,
                self.mill.settings.engine,
                &self.mill.settings.cache,
            )
            .map_err(|reason| vec![self.open.explain(reason, &cell)])
        } else {
            Err(impossible)
        };
        let mut result = PlannedCell {
            id: cell.id(),
            state: CellState::Wanted,
            toolchain: String::new(),
            steps: Vec::new(),
            warnings: Vec::new(),
            network_while_compiling: self.recipe.build.network,
            expected: self.expectation(&cell),
            kind: self.kind(&cell, None),
        };
        match chosen {
            Err(reasons) => result.state = CellState::Impossible(reasons),
            Ok(toolchain) => {
                result.toolchain.clone_from(&toolchain.summary);
                result.warnings = warnings(&cell, &self.recipe, &base, &toolchain);
                let request = self.request(&cell, &base)?;
                let lock = self.locks.get(&request).map(Arc::clone);
                let ground = Ground {
                    base,
                    toolchain,
                    recipe_digest: self.recipe_digest,
                    request,
                    lock: lock.filter(|_| !self.mill.settings.refresh),
                };
                if let Some(wheel) = self.stored(&cell, &ground)? {
                    result.state = CellState::Stored(Box::new(wheel));
                } else {
                    result.steps = self.steps(&cell, &ground);
                }
                result.kind = self.kind(&cell, Some(ground));
            }
        }
        Ok(result)
    }

    fn kind(&self, cell: &Cell, ground: Option<Ground>) -> CellKind {
        let (cell, recipe) = (cell.clone(), Arc::clone(&self.recipe));
        CellKind::Recipe(Box::new(RecipeCell { cell, recipe, ground }))
    }

    fn request(&self, cell: &Cell, base: &wheelmill_engine::Base) -> Result<Digest, MillError> {
        let index = self.mill.index_name();
        lock::request(&self.recipe_digest, &self.recipe.source, cell, base, &index)
            .map_err(|source| self.mill.source_error(&cell.package, source))
    }

    fn stored(
        &self,
        cell: &Cell,
        ground: &Ground,
    ) -> Result<Option<wheelmill_store::StoredWheel>, MillError> {
        let (Some(store), Some(lock)) = (self.store, &ground.lock) else { return Ok(None) };
        let composer = self.mill.composer(cell, &self.recipe, ground, &lock.base);
        let environment = composer.environment(&lock.requirements);
        // A base that is not pinned has no digest, and so no key.
        let Ok(digest) = self.mill.engine.digest(&environment) else { return Ok(None) };
        let key = lock::key(&ground.recipe_digest, &self.recipe, cell, lock, &digest);
        let held = store.wheel_for(&key)?;
        Ok(held.filter(|wheel| lock::is_judged_by(&wheel.verdict, &self.recipe)))
    }

    fn expectation(&self, cell: &Cell) -> Option<std::time::Duration> {
        self.expectations.as_ref()?.of(&spec(cell))?.wall
    }

    fn steps(&self, cell: &Cell, ground: &Ground) -> Vec<String> {
        let source = match (&self.recipe.source, &cell.version) {
            (Source::Pypi { name }, Some(version)) => {
                format!("{name} {version} from the package index")
            }
            (Source::Pypi { name }, None) => format!("the newest {name} from the package index"),
            (Source::Git { address, .. }, _) => address.clone(),
            (Source::Url { address, .. }, _) => address.clone(),
            (Source::Path(path), _) => path.to_string(),
        };
        let mut steps = vec![format!("fetch {source}")];
        let base = ground.lock.as_ref().map_or(&ground.base, |lock| &lock.base);
        let composer = self.mill.composer(cell, &self.recipe, ground, base);
        match &ground.lock {
            Some(lock) => {
                steps.extend(composer.environment(&lock.requirements).steps.into_iter().map(made));
            }
            None => {
                steps.extend(composer.foundation().steps.into_iter().map(made));
                steps.push(format!(
                    "resolve and install {}",
                    ground.toolchain.requirements.join(" ")
                ));
            }
        }
        let network = if self.recipe.build.network { "on" } else { "off" };
        steps.push(format!("compile for {}, network {network}", cell.architectures));
        steps.push("verify the wheel and store it".to_owned());
        steps
    }
}

/// What is done in a step of an environment.
fn made(step: Step) -> String {
    format!("install {}", step.title)
}

/// What a cell is made of, for the history and for comparing it with earlier ones.
pub(crate) fn spec(cell: &Cell) -> Value {
    json!({
        "version": cell.version,
        "cuda": cell.cuda,
        "torch": cell.torch,
        "python": cell.python,
        "architectures": cell.architectures,
    })
}
