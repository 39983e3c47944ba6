//! The project file and recipes as written, resolved; the matrix and its cells; facts about CUDA releases.
//!
//! A text goes three ways: it is read as written (`written`, every key optional, positions kept),
//! laid over what it changes, and resolved ([`Recipe`], [`Project`]: no key open, every check done).
//! [`expand`] then makes the cells of a matrix and says of each why it is impossible, if it is.
//! Nothing here runs a program, asks the network or reads the environment.

mod catalogue;
mod cell;
mod cell_name;
mod document;
mod environment;
mod error;
pub mod facts;
mod gpu_wish;
mod host;
mod layout;
mod matrix;
mod placeholder;
mod print;
mod project;
mod recipe;
mod recipes;
mod reference;
mod resolve;
mod schema;
mod spelling;
mod suggest;
mod wildcard;
mod wish;
mod written;

pub use catalogue::Catalogue;
pub use cell::{Cell, Impossible, Planned};
pub use cell_name::{CellName, CellNameError};
pub use error::{MatrixError, Mistake, MistakeKind, RecipeError};
pub use gpu_wish::GpuWish;
pub use host::{HostSection, NVIDIA_RUNTIME, NvidiaRuntime};
pub use layout::{Layout, LayoutCell, LayoutError, PlannedLayout};
pub use matrix::{Axes, Machine, expand, possible_cuda};
pub use project::{BuildSection, CleanSection, MatrixSection, Project, StoreSection};
pub use recipe::{Build, Jobs, Limits, Origin, Patch, Recipe, Source, SystemPackages, Test, Wheel};
pub use recipes::Recipes;
pub use reference::reference_markdown;
pub use schema::{json_schema_project, json_schema_recipe};
pub use spelling::{ArchVariable, Spelling};
pub use wish::{ArchWish, EngineWish, IsolationWish, PackageWish, PackageWishError};
pub use written::{AddressPool, Combination, PerCuda};
