//! Finds out where each image's cell stands. Asks no daemon.

use std::sync::Arc;

use wheelmill_engine::BuildContext;
use wheelmill_recipe::{LayoutCell, PlannedLayout};
use wheelmill_store::{Store, StoreError, StoredWheel};

use super::lock::request;
use super::{
    BUILDS, INSTALLER_LABEL, INSTALLER_NAME, INSTALLERS, ImageCell, ImageGround, ImageLock,
};
use crate::error::MillError;
use crate::mill::Mill;
use crate::plan::{CellKind, CellState, PlannedCell};

impl Mill {
    /// What would be done for images of a folder. Asks neither network nor daemon, and writes
    /// nothing.
    ///
    /// # Errors
    /// What an image is built from cannot be read, or the store cannot.
    pub fn plan_images(&self, cells: &[PlannedLayout]) -> Result<Vec<PlannedCell>, MillError> {
        let store = Store::open_existing(&self.settings.home)?;
        cells.iter().map(|planned| self.plan_image(planned, store.as_ref())).collect()
    }

    fn plan_image(
        &self,
        planned: &PlannedLayout,
        store: Option<&Store>,
    ) -> Result<PlannedCell, MillError> {
        let cell = &planned.cell;
        let mut image = ImageCell { cell: cell.clone(), ground: None, more_wheels: Vec::new() };
        let mut state = CellState::Wanted;
        if planned.impossible.is_empty() {
            let context = BuildContext::read(&cell.dockerfile, &cell.context)
                .map_err(|source| MillError::Context { image: cell.image.clone(), source })?;
            let request = request(cell, &context);
            let kept = store.map(|store| store.lock(&request)).transpose()?.flatten();
            let kept = kept.filter(|_| !self.settings.refresh);
            let lock = kept.and_then(|lock| serde_json::from_str::<ImageLock>(&lock.text).ok());
            let wheels = match (store, &lock) {
                (Some(store), Some(lock)) => stored(store, lock)?,
                _ => None,
            };
            if let Some((first, more)) = wheels {
                state = CellState::Stored(Box::new(first));
                image.more_wheels = more;
            }
            image.ground = Some(ImageGround { context: Arc::new(context), request, lock });
        } else {
            state = CellState::Impossible(planned.impossible.clone());
        }
        let expected = match store {
            Some(store) => store.expected(&cell.package, &image.spec())?,
            None => None,
        };
        let steps = match state {
            CellState::Wanted => steps(cell),
            _ => Vec::new(),
        };
        Ok(PlannedCell {
            id: cell.id(),
            toolchain: format!("image {}", cell.image),
            steps,
            warnings: Vec::new(),
            network_while_compiling: cell.network,
            expected: expected.and_then(|expected| expected.wall),
            kind: CellKind::Image(Box::new(image)),
            state,
        })
    }
}

/// The wheels of a lock, when every one is there and good.
pub(crate) fn stored(
    store: &Store,
    lock: &ImageLock,
) -> Result<Option<(StoredWheel, Vec<StoredWheel>)>, StoreError> {
    let wheels = lock.wheels.iter().map(|key| store.wheel_for(key));
    let wheels: Option<Vec<StoredWheel>> = wheels.collect::<Result<_, _>>()?;
    let mut wheels = wheels.unwrap_or_default().into_iter();
    Ok(wheels.next().map(|first| (first, wheels.collect())))
}

fn steps(cell: &LayoutCell) -> Vec<String> {
    let LayoutCell { dockerfile, context, image, volume, conda_env, script, .. } = cell;
    let installer = match script {
        Some(script) => format!("run {script}"),
        None => format!(
            "run the installer, by the label `{INSTALLER_LABEL}` or the only \
             {INSTALLERS}/**/{INSTALLER_NAME}"
        ),
    };
    let network = if cell.network { "on" } else { "off" };
    vec![
        format!("build the image {image} from {dockerfile} and {context}"),
        format!(
            "{installer}, in the conda environment `{conda_env}` where the image has conda, with \
             the volume {volume} at {BUILDS}, network {network}"
        ),
        "verify every new wheel in the volume and store it".to_owned(),
    ]
}
