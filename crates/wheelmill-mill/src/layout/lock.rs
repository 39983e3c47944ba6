//! What a cell came to when it was last built.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use wheelmill_engine::BuildContext;
use wheelmill_model::{CellKey, Digest, DigestBuilder};
use wheelmill_recipe::LayoutCell;

/// The image that a Dockerfile gave, its installer, and the wheels that this left: with the same
/// Dockerfile and context the next plan needs no daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImageLock {
    /// The identity of the image.
    pub(crate) image: String,
    /// The installer's path in it.
    pub(crate) installer: Utf8PathBuf,
    pub(crate) key: CellKey,
    /// The keys of all its wheels.
    pub(crate) wheels: Vec<CellKey>,
}

/// What a lock answers: everything that is known before the image is there.
pub(super) fn request(cell: &LayoutCell, context: &BuildContext) -> Digest {
    let script = cell.script.as_deref().unwrap_or(Utf8Path::new(""));
    DigestBuilder::new("image-request")
        .field("context", context.digest().as_bytes())
        .field("cell", cell.id())
        .field("image", &cell.image)
        .field("volume", &cell.volume)
        .field("conda-env", &cell.conda_env)
        .field("script", script.as_str())
        .field("network", if cell.network { "on" } else { "off" })
        .finish()
}

/// The key of a cell whose image is known.
pub(crate) fn key(request: &Digest, image: &str, installer: &Utf8Path) -> CellKey {
    CellKey(
        DigestBuilder::new("image-cell")
            .field("request", request.as_bytes())
            .field("image", image)
            .field("installer", installer.as_str())
            .finish(),
    )
}

/// The key of one of its wheels, by its path in the volume: folders of it may hold files of one name.
pub(crate) fn wheel_key(cell: &CellKey, path: &Utf8Path) -> CellKey {
    let digest = DigestBuilder::new("image-wheel").field("cell", cell.0.as_bytes());
    CellKey(digest.field("wheel", path.as_str()).finish())
}
