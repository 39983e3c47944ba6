//! A cell that is built by an image.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use wheelmill_engine::BuildContext;
use wheelmill_model::Digest;
use wheelmill_recipe::LayoutCell;
use wheelmill_store::StoredWheel;

use super::ImageLock;

/// A cell that is built by an installer in an image of the user's own.
#[derive(Clone, Debug, Serialize)]
pub struct ImageCell {
    /// The image and what belongs to it.
    pub cell: LayoutCell,
    #[serde(skip)]
    pub(crate) ground: Option<ImageGround>,
    /// What is stored of it beside the first wheel.
    #[serde(skip)]
    pub(crate) more_wheels: Vec<StoredWheel>,
}

/// What a possible cell stands on.
#[derive(Clone, Debug)]
pub(crate) struct ImageGround {
    pub(crate) context: Arc<BuildContext>,
    /// What its lock answers.
    pub(crate) request: Digest,
    pub(crate) lock: Option<ImageLock>,
}

impl ImageCell {
    /// What it is made of, for the history.
    pub(crate) fn spec(&self) -> Value {
        let cell = &self.cell;
        json!({
            "cuda": cell.cuda,
            "image": cell.image,
            "dockerfile": cell.dockerfile,
            "context": cell.context,
            "volume": cell.volume,
            "network": cell.network,
        })
    }
}
