//! The environment of a cell as a Dockerfile.

use wheelmill_engine::{EngineError, WrittenDockerfile};
use wheelmill_model::NetworkSettings;

use crate::environment::Composer;
use crate::error::MillError;
use crate::mill::Mill;
use crate::plan::PlannedCell;

impl Mill {
    /// A Dockerfile of everything that a cell is built in, with the versions that its lock knows.
    /// What is special to this machine (proxies, indexes, certificates) is not in it.
    ///
    /// # Errors
    /// The cell is impossible or was never resolved, or its environment is not one of an image.
    pub fn dockerfile(&self, cell: &PlannedCell) -> Result<WrittenDockerfile, MillError> {
        let lock = cell.by_recipe().and_then(|recipe| {
            let ground = recipe.ground.as_ref()?;
            Some((recipe, ground, ground.lock.as_ref()?))
        });
        let Some((recipe, ground, lock)) = lock else {
            return Err(MillError::Engine(EngineError::Unable {
                what: format!("a Dockerfile of `{}`", cell.id),
                why: "no build has chosen its versions yet, with these settings".to_owned(),
                fix: "build it once, then ask again with the same options".to_owned(),
            }));
        };
        let network = NetworkSettings::default();
        let composer = self.composer(&recipe.cell, &recipe.recipe, ground, &lock.base);
        let composer = Composer { network: &network, ..composer };
        let environment = composer.environment(&lock.requirements);
        composer.write_lists(&lock.requirements).map_err(|source| MillError::Files {
            path: self.settings.cache.join("requirements"),
            source,
        })?;
        let about = format!("What `{}` is built in; written by wheelmill.", cell.id);
        WrittenDockerfile::new(&environment, &about).map_err(MillError::Engine)
    }
}
