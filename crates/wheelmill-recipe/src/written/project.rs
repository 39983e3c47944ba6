//! The project file as written.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use wheelmill_model::{ByteSize, PackageName, TimeLimit};

use super::host::HostTable;
use super::layout::LayoutTable;
use super::matrix::{MatrixTable, TextPerCuda};
use super::recipe::RecipeTable;
use super::values::PerCuda;
use crate::{EngineWish, GpuWish, IsolationWish};

/// A folder's wishes: what to build, how, and where it is kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(title = "wheelmill project file")]
pub(crate) struct ProjectTable {
    /// Recipe files of your own, relative to this file; `*` stands for any text in a file name.
    /// Each takes the place of the catalogue's recipe of its name.
    #[schemars(with = "Vec<String>")]
    pub(crate) recipe_files: Vec<Spanned<String>>,
    /// What to build.
    pub(crate) matrix: MatrixTable,
    /// How to build.
    pub(crate) build: BuildSettingsTable,
    /// Where wheels and history are kept.
    pub(crate) store: StoreTable,
    /// What may stay on the disk.
    pub(crate) clean: CleanTable,
    /// The set-up of the machine.
    pub(crate) host: HostTable,
    /// Images of your own that build wheels, one table for each name, with the keys `dockerfile`,
    /// `context`, `image`, `volume`, `conda-env`, `script` and `network`.
    #[schemars(with = "BTreeMap<String, LayoutTable>")]
    pub(crate) layout: BTreeMap<String, Spanned<LayoutTable>>,
    /// Changes to recipes, one table for each package, with the keys of a recipe file. A key given
    /// here replaces that of the recipe; the rest of the recipe stays.
    #[schemars(with = "BTreeMap<String, RecipeTable>")]
    pub(crate) recipes: BTreeMap<PackageName, Spanned<RecipeTable>>,
}

/// How to build.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct BuildSettingsTable {
    /// What runs the build. Default: `auto`.
    #[schemars(with = "EngineWish")]
    pub(crate) engine: Option<EngineWish>,
    /// How far builds are kept from this machine. Default: the first of these that works.
    #[schemars(with = "IsolationWish")]
    pub(crate) isolation: Option<IsolationWish>,
    /// The GPUs that builds see: `auto`, `none`, `all`, or numbers or UUIDs as `0,1`. Default:
    /// `auto`, those that a recipe asks for, and all for images with an installer.
    #[schemars(with = "String")]
    pub(crate) gpus: Option<GpuWish>,
    /// The memory that a build may take, as `16GB`. Default: what the machine has to give.
    #[schemars(with = "String")]
    pub(crate) memory: Option<ByteSize>,
    /// The processors that a build may take. Default: all.
    #[schemars(with = "u32")]
    pub(crate) cpus: Option<NonZeroU32>,
    /// How many cells are built at a time, at most; 1: one after the other. Default: as many as keep
    /// the processors busy.
    #[schemars(with = "u32")]
    pub(crate) cells: Option<NonZeroU32>,
    /// What the cache of compiles may take, of all packages together, as `20GB`; `0` for none.
    /// Default: `10GiB`.
    #[schemars(with = "String")]
    pub(crate) compile_cache_size: Option<ByteSize>,
    /// How long a build may compile, as `6h`. Default: as long as it likes.
    #[schemars(with = "String")]
    pub(crate) timeout: Option<TimeLimit>,
    /// The image or folder that builds start from: one for all, or a table with one for each CUDA
    /// release and a `default`. Default: this machine's own system.
    #[schemars(with = "TextPerCuda")]
    pub(crate) base: Option<PerCuda<String>>,
}

/// Where wheels and history are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct StoreTable {
    /// The folder, relative to this file. Default: the user's data folder.
    #[schemars(with = "String")]
    pub(crate) path: Option<Utf8PathBuf>,
}

/// What may stay on the disk.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct CleanTable {
    /// What layers, images, downloads and caches may take together, as `50GB`: what
    /// `wheelmill clean` removes the rest for. Default: none, nothing is removed.
    #[schemars(with = "String")]
    pub(crate) budget: Option<ByteSize>,
}
