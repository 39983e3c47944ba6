//! What a wish comes to: cells, each with what would be done for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use wheelmill_engine::Base;
use wheelmill_model::Digest;
use wheelmill_recipe::{Cell, Impossible, Recipe};
use wheelmill_store::StoredWheel;

use crate::environment::Toolchain;
use crate::layout::ImageCell;
use crate::lock::Lock;
use crate::warning::PlanWarning;

/// The cells of a wish.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// In the order in which they would be built.
    pub cells: Vec<PlannedCell>,
}

/// One cell, and what would be done for it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedCell {
    /// Its identifier.
    pub id: String,
    /// What it is. As data: `kind`, one word, and `cell`.
    #[serde(flatten)]
    pub kind: CellKind,
    /// Whether it is there, can be built, or cannot. As data: `state`, one word, and beside it the
    /// `wheel` or the `reasons`.
    #[serde(flatten)]
    pub state: CellState,
    /// What it compiles with, in one line; empty for an impossible cell.
    pub toolchain: String,
    /// What would be done, one step a line.
    pub steps: Vec<String>,
    /// What may be wrong with it, for a cell that can be built.
    pub warnings: Vec<PlanWarning>,
    /// Whether its build may reach the network.
    pub network_while_compiling: bool,
    /// How long it will likely take, in seconds, by what builds of this version took.
    #[serde(rename = "expected-seconds", serialize_with = "optional_seconds")]
    pub expected: Option<Duration>,
}

/// What a cell is built by.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CellKind {
    /// A recipe, with a toolchain of ours.
    Recipe(Box<RecipeCell>),
    /// An image of the user's own, with an installer in it.
    Image(Box<ImageCell>),
}

impl PlannedCell {
    /// What is known of a cell that is built by a recipe.
    pub(crate) fn by_recipe(&self) -> Option<&RecipeCell> {
        match &self.kind {
            CellKind::Recipe(cell) => Some(cell),
            CellKind::Image(_) => None,
        }
    }
}

/// A cell that is built by a recipe.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeCell {
    /// The combination.
    pub cell: Cell,
    #[serde(skip)]
    pub(crate) recipe: Arc<Recipe>,
    #[serde(skip)]
    pub(crate) ground: Option<Ground>,
}

/// Where a cell stands.
#[derive(Clone, Debug)]
pub enum CellState {
    /// A good wheel of it is in the store.
    Stored(Box<StoredWheel>),
    /// It would be built.
    Wanted,
    /// It cannot be built.
    Impossible(Vec<Impossible>),
}

impl CellState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stored(_) => "stored",
            Self::Wanted => "to-build",
            Self::Impossible(_) => "impossible",
        }
    }
}

impl Serialize for CellState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("state", self.as_str())?;
        match self {
            Self::Stored(wheel) => map.serialize_entry("wheel", wheel)?,
            Self::Wanted => {}
            Self::Impossible(reasons) => map.serialize_entry("reasons", reasons)?,
        }
        map.end()
    }
}

/// What a possible cell stands on.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) base: Base,
    pub(crate) toolchain: Toolchain,
    pub(crate) recipe_digest: Digest,
    /// What its lock answers.
    pub(crate) request: Digest,
    pub(crate) lock: Option<Arc<Lock>>,
}

impl Plan {
    /// The cells that would be built.
    pub fn wanted(&self) -> impl Iterator<Item = &PlannedCell> {
        self.cells.iter().filter(|cell| matches!(cell.state, CellState::Wanted))
    }

    /// Those of them that are built by recipes.
    pub(crate) fn wanted_recipes(&self) -> impl Iterator<Item = &RecipeCell> {
        self.wanted().filter_map(PlannedCell::by_recipe)
    }

    /// Whether images are to be built from Dockerfiles.
    pub(crate) fn wants_images(&self) -> bool {
        self.wanted().any(|cell| matches!(cell.kind, CellKind::Image(_)))
    }

    /// Every distinct reason why cells are impossible, with these cells, in the order of the plan.
    #[must_use]
    pub fn reasons(&self) -> Vec<(&Impossible, Vec<&PlannedCell>)> {
        let mut reasons: Vec<(&Impossible, Vec<&PlannedCell>)> = Vec::new();
        let mut places: HashMap<&Impossible, usize> = HashMap::new();
        for cell in &self.cells {
            let CellState::Impossible(own) = &cell.state else { continue };
            for reason in own {
                let place = *places.entry(reason).or_insert_with(|| {
                    reasons.push((reason, Vec::new()));
                    reasons.len() - 1
                });
                reasons[place].1.push(cell);
            }
        }
        reasons
    }

    /// Every distinct warning on cells that would be built.
    #[must_use]
    pub fn warnings(&self) -> Vec<&PlanWarning> {
        let mut seen = HashSet::new();
        self.wanted()
            .flat_map(|cell| &cell.warnings)
            .filter(|warning| seen.insert(*warning))
            .collect()
    }

    /// Whether there are cells, and none of them can be built or is there.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        !self.cells.is_empty()
            && self.cells.iter().all(|cell| matches!(cell.state, CellState::Impossible(_)))
    }
}

fn optional_seconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => crate::event::seconds(duration, serializer),
        None => serializer.serialize_none(),
    }
}
