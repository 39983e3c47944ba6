//! Finds out where each image's cell stands. Asks no daemon.

use std::sync::Arc;

use wheelmill_engine::{BuildContext, EngineError};
use wheelmill_recipe::{Impossible, LayoutCell, PlannedLayout};
use wheelmill_store::{Store, StoreError, StoredWheel};

use super::lock::request;
use super::{
    BUILDS, INSTALLER_LABEL, INSTALLER_NAME, INSTALLERS, ImageCell, ImageGround, ImageLock,
};
use crate::error::{MillError, brief};
use crate::mill::Mill;
use crate::plan::{CellKind, CellState, PlannedCell};

impl Mill {
    /// What would be done for images of a folder. Asks neither network nor daemon, and writes
    /// nothing.
    ///
    /// # Errors
    /// The store cannot be read. Where that is so of what an image is built from, its cell is
    /// impossible.
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
        let context = match &planned.impossible[..] {
            [] => BuildContext::read(&cell.dockerfile, &cell.context)
                .map_err(|error| vec![unreadable(&error)]),
            reasons => Err(reasons.to_vec()),
        };
        match context {
            Ok(context) => {
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
            }
            Err(reasons) => state = CellState::Impossible(reasons),
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

/// Why a cell cannot be built whose Dockerfile or context cannot be read.
fn unreadable(error: &EngineError) -> Impossible {
    let hint = match error {
        EngineError::Files { path, .. } if path.file_name() == Some(".dockerignore") => {
            "correct that file"
        }
        _ => "let it be read; what the image does not need can be named in `.dockerignore`",
    };
    Impossible { code: "context-unreadable", message: brief(error), hint: Some(hint.to_owned()) }
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
