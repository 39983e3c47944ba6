//! Where the user finds what a build names: containers have the source in a place of their own.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_recipe::Source;

use super::case::Case;
use crate::environment::paths;

impl Case<'_> {
    /// The user's folder that is built, when the source is one.
    pub(super) fn folder(&self) -> Option<&Utf8Path> {
        match self.evidence.source {
            Some(Source::Path(folder)) => Some(folder),
            _ => None,
        }
    }

    /// A place as a tool of the build names it, `/build/src/csrc/scale.cu:12`, in the user's own
    /// folder. `None` for a source that is fetched, and for files that are not the source's.
    pub(super) fn in_folder(&self, place: &str) -> Option<Utf8PathBuf> {
        let place = Utf8Path::new(place);
        let inside = if place.is_absolute() {
            place.strip_prefix(paths::SOURCE).ok()?.to_owned()
        } else {
            self.evidence.subdirectory.unwrap_or(Utf8Path::new("")).join(place)
        };
        Some(self.folder()?.join(inside))
    }

    /// How a part of the source that is not there comes to be there.
    pub(super) fn complete_source(&self) -> String {
        match self.evidence.source {
            Some(Source::Path(folder)) => format!("put it into `{folder}`"),
            Some(Source::Git { submodules: false, .. }) => {
                format!("`submodules = true` in {}", self.table("source"))
            }
            Some(Source::Git { .. }) => {
                format!("take it in with `patches` in {}", self.table("source"))
            }
            Some(Source::Pypi { .. } | Source::Url { .. }) | None => format!(
                "build from the repository, with `git = \"https://…\"`, `revision = \
                 \"v{{version}}\"` and `submodules = true` in {}",
                self.table("source")
            ),
        }
    }
}
