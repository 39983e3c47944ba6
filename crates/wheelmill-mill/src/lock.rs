//! What a cell resolved to, so that later runs need no network and give the same wheel.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wheelmill_engine::Base;
use wheelmill_model::{CellKey, Digest, DigestBuilder, Version};
use wheelmill_recipe::{Cell, Recipe, Source};
use wheelmill_wheel::Verdict;

use crate::environment::Requirements;
use crate::fetch::{PinError, PinnedSource, folder_digest};
use crate::repair;

/// Changes when the meaning of a lock or of a key does.
const FORMAT: &str = "1";

/// The field of a kept verdict with the digest of the tests.
const TESTS: &str = "tests";

/// Everything of a cell that was chosen when it was first built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lock {
    /// None where the source alone tells it.
    pub(crate) version: Option<Version>,
    pub(crate) source: PinnedSource,
    pub(crate) base: Base,
    pub(crate) requirements: Requirements,
}

impl Lock {
    /// A cell with the version that it resolved to, for everything that a recipe derives from it.
    pub(crate) fn versioned(&self, cell: &Cell) -> Cell {
        Cell { version: self.version.clone().or_else(|| cell.version.clone()), ..cell.clone() }
    }
}

fn version(version: Option<&Version>) -> String {
    version.map(ToString::to_string).unwrap_or_default()
}

/// What of a recipe decides a wheel: without words for people, and without what only decides
/// whether, how fast and how strictly a cell is built.
pub(crate) fn recipe_digest(recipe: &Recipe) -> Digest {
    let mut json = serde_json::to_value(recipe).expect("a recipe is plain data");
    if let Some(fields) = json.as_object_mut() {
        for key in ["summary", "homepage", "read-from", "built", "jobs", "limits", "test"] {
            fields.remove(key);
        }
    }
    DigestBuilder::new("recipe").field("json", json.to_string()).finish()
}

/// The tests of a recipe that decide whether a wheel is good.
fn tests_digest(recipe: &Recipe) -> String {
    let tests = serde_json::to_string(&recipe.test).expect("a recipe is plain data");
    Digest::of(tests.as_bytes()).to_string()
}

/// A verdict as it is kept: with the tests that it was found by.
pub(crate) fn judged_by(verdict: &Verdict, recipe: &Recipe) -> Value {
    let mut kept = serde_json::to_value(verdict).expect("a verdict is plain data");
    kept[TESTS] = Value::String(tests_digest(recipe));
    kept
}

/// Whether a kept verdict was found by the tests that a recipe has now. One that does not tell is
/// taken for good: it is of a version that kept none.
pub(crate) fn is_judged_by(verdict: &Value, recipe: &Recipe) -> bool {
    verdict.get(TESTS).and_then(Value::as_str).is_none_or(|tests| tests == tests_digest(recipe))
}

/// What a lock answers: a cell of a recipe on a base, and for a source that lies in a folder, what
/// is in that folder now.
pub(crate) fn request(
    recipe: &Digest,
    source: &Source,
    cell: &Cell,
    base: &Base,
    index: &str,
) -> Result<Digest, PinError> {
    let folder = match source {
        Source::Path(path) => folder_digest(path)
            .map_err(|source| PinError::Folder { path: path.clone(), source })?
            .to_string(),
        _ => String::new(),
    };
    let base = serde_json::to_string(base).expect("a base is plain data");
    let torch = cell.torch.map(|torch| torch.to_string()).unwrap_or_default();
    // The architectures decide the wheel and not what it is made from, so they are no part of it.
    let digest = DigestBuilder::new("lock")
        .field("format", FORMAT)
        .field("recipe", recipe.as_bytes())
        .field("package", cell.package.as_str())
        .field("version", version(cell.version.as_ref()))
        .field("cuda", cell.cuda.to_string())
        .field("torch", torch)
        .field("python", cell.python.to_string())
        .field("base", base)
        .field("index", index)
        .field("folder", folder)
        .finish();
    Ok(digest)
}

/// The key of a cell: everything that decides its wheel.
pub(crate) fn key(
    recipe: &Digest,
    resolved: &Recipe,
    cell: &Cell,
    lock: &Lock,
    environment: &Digest,
) -> CellKey {
    let cell = lock.versioned(cell);
    let wheel = &resolved.wheel;
    let release = cell.torch.filter(|_| wheel.pin_torch).map(|torch| torch.to_string());
    // How many compilers run at once decides no wheel: every key is of a build with one.
    let variables = resolved.environment(&cell, 1);
    CellKey(
        DigestBuilder::new("cell")
            .field("format", FORMAT)
            .field("recipe", recipe.as_bytes())
            .field("package", cell.package.as_str())
            .field("version", version(lock.version.as_ref()))
            .field("source", lock.source.identity())
            .field("environment", environment.as_bytes())
            .field("architectures", cell.architectures.to_string())
            .field("repair", if wheel.repair { repair::VERSION } else { "" })
            .fields("excluded", repair::excluded(resolved))
            .field("label", resolved.local_label(&cell).unwrap_or_default())
            .field("pin", release.unwrap_or_default())
            .fields("requires", resolved.wheel_requirements(&cell))
            .fields("variables", variables.iter().map(|(name, value)| format!("{name}={value}")))
            .finish(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_that_changes_no_wheel_keeps_what_was_built() {
        let recipe = |text: &str| Recipe::parse(text, "x.toml".into()).unwrap();
        let plain = recipe_digest(&recipe("name = \"x\"\n"));
        let advised = "name = \"x\"\nsummary = \"words\"\n[jobs]\nmemory = \"9GB\"\n[limits]\ncuda = \">=12\"\n";
        assert_eq!(recipe_digest(&recipe(advised)), plain);
        let other = recipe("name = \"x\"\n[build]\nenvironment = { FAST_MATH = \"1\" }\n");
        assert_ne!(recipe_digest(&other), plain);
    }
}
