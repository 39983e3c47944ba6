//! Where the recipe of a package is found: the project file, the user's recipe files, the
//! catalogue, and at last the default recipe.

use std::collections::BTreeMap;

use wheelmill_model::PackageName;

use crate::{Catalogue, Project, Recipe, RecipeError, suggest};

/// The recipes that hold in one place.
#[derive(Clone, Debug)]
pub struct Recipes {
    own: BTreeMap<PackageName, Recipe>,
    catalogue: &'static Catalogue,
}

impl Recipes {
    /// Those of the catalogue alone.
    #[must_use]
    pub fn builtin() -> Self {
        Self { own: BTreeMap::new(), catalogue: Catalogue::builtin() }
    }

    /// Those of a project, then the catalogue's.
    #[must_use]
    pub fn for_project(project: &Project) -> Self {
        Self { own: project.recipes.clone(), catalogue: Catalogue::builtin() }
    }

    /// The recipe of a package: the default one when nobody wrote any.
    ///
    /// # Errors
    /// A mistake in the catalogue.
    pub fn get(&self, name: &PackageName) -> Result<Recipe, RecipeError> {
        if let Some(recipe) = self.own.get(name) {
            return Ok(recipe.clone());
        }
        let found = self.catalogue.get(name)?;
        Ok(found.unwrap_or_else(|| Recipe::default_for(name.clone())))
    }

    /// Whether somebody wrote a recipe for a package.
    #[must_use]
    pub fn known(&self, name: &PackageName) -> bool {
        self.own.contains_key(name) || self.catalogue.holds(name)
    }

    /// Every recipe that somebody wrote, sorted by name.
    ///
    /// # Errors
    /// A mistake in the catalogue.
    pub fn all(&self) -> Result<Vec<Recipe>, RecipeError> {
        self.names().iter().map(|name| self.get(name)).collect()
    }

    /// The names of packages with a recipe that are near to what was written, nearest first.
    #[must_use]
    pub fn suggestions(&self, written: &str) -> Vec<String> {
        let names = self.names();
        suggest::near(written, names.iter().map(PackageName::as_str))
    }

    fn names(&self) -> Vec<PackageName> {
        let mut names: Vec<PackageName> = self.own.keys().cloned().collect();
        // A test holds that every file of the catalogue bears a package's name.
        names.extend(self.catalogue.names().filter_map(|name| name.parse().ok()));
        names.sort();
        names.dedup();
        names
    }
}
