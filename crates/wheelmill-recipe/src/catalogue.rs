//! The recipes that come with the program.

use camino::Utf8Path;
use wheelmill_model::PackageName;

use crate::document::Document;
use crate::recipe::{Origin, Recipe};
use crate::resolve::{Draft, Files};
use crate::{RecipeError, suggest};

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The recipes that come with the program. One is read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    files: &'static [(&'static str, &'static str)],
}

static BUILTIN: Catalogue = Catalogue { files: RECIPES };

impl Catalogue {
    /// The catalogue of this program.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The names of its packages, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.files.iter().map(|(file, _)| stem(file))
    }

    /// Whether it holds a package.
    #[must_use]
    pub fn holds(&self, name: &PackageName) -> bool {
        self.names().any(|held| held == name.as_str())
    }

    /// The recipe of a package; `None` when it has none.
    ///
    /// # Errors
    /// A mistake in the recipe, which the tests of this crate rule out for the built-in ones.
    pub fn get(&self, name: &PackageName) -> Result<Option<Recipe>, RecipeError> {
        let Some((document, draft)) = self.draft(name)? else { return Ok(None) };
        draft.resolve(&document, &(0..0), None, Origin::Catalogue).map(Some)
    }

    /// The recipe of a package as it was written.
    pub(crate) fn draft(
        &self,
        name: &PackageName,
    ) -> Result<Option<(Document, Draft)>, RecipeError> {
        let Some((file, text)) = self.files.iter().find(|(file, _)| stem(file) == name.as_str())
        else {
            return Ok(None);
        };
        let document = Document::new(text, &Utf8Path::new("catalogue").join(file));
        let draft = Draft::read(&document, &Files::Embedded(PATCHES))?;
        Ok(Some((document, draft)))
    }

    /// The names that are near to what was written.
    #[must_use]
    pub fn suggestions(&self, written: &str) -> Vec<String> {
        suggest::near(written, self.names())
    }
}

/// A recipe file is named after its package.
fn stem(file: &'static str) -> &'static str {
    file.strip_suffix(".toml").unwrap_or(file)
}
