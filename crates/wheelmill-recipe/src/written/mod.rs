//! Recipes and project files as they are written: every key optional, positions kept where a check
//! needs more than one key. The comments on the fields are the reference page and the JSON schema.

mod axis;
mod daemon;
mod host;
mod layout;
mod matrix;
mod overlay;
mod project;
mod recipe;
mod values;

pub(crate) use daemon::{ImageName, ImagePath, VolumeName, is_volume_name};
pub use host::AddressPool;
pub(crate) use host::{HostTable, RuntimeWish};
pub(crate) use layout::LayoutTable;
pub use matrix::Combination;
pub(crate) use matrix::MatrixTable;
pub(crate) use project::ProjectTable;
pub(crate) use recipe::{
    ArchitectureTable, BuildTable, JobsTable, LimitsTable, RecipeTable, SourceTable, TestTable,
    WheelTable,
};
pub use values::PerCuda;
pub(crate) use values::{
    ArchTemplate, CommandText, FamilyPackages, GeneralPackage, LocalLabel, Machine, ModuleName,
    RelativePath, Requirement, SharedLibrary, SourceText, Specifiers, Template, VariableName,
};
