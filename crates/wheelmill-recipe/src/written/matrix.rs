//! The matrix as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use wheelmill_model::{CudaVersion, PythonVersion, TorchVersion, Version};

use super::axis::{self, AxisValues};
use super::values::PerCuda;
use crate::{ArchWish, PackageWish};

/// What to build: the values of each axis, and which combinations of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct MatrixTable {
    /// The packages that `build` and `plan` take when they are given none, each with a version if
    /// one is meant: `torchsort==0.1.10`.
    #[schemars(with = "AxisValues")]
    #[serde(deserialize_with = "axis::values")]
    pub(crate) package: Vec<PackageWish>,
    /// The axis of package versions. Default: the newest.
    #[schemars(with = "AxisValues")]
    #[serde(deserialize_with = "axis::optional")]
    pub(crate) version: Option<Vec<Version>>,
    /// The axis of CUDA releases. Default: the newest that torch is built for.
    #[schemars(with = "AxisValues")]
    #[serde(deserialize_with = "axis::optional")]
    pub(crate) cuda: Option<Vec<CudaVersion>>,
    /// The axis of PyTorch releases. Default: the newest that is built for the CUDA release.
    #[schemars(with = "AxisValues")]
    #[serde(deserialize_with = "axis::optional")]
    pub(crate) torch: Option<Vec<TorchVersion>>,
    /// The axis of Pythons. Default: this machine's, where PyTorch supports it.
    #[schemars(with = "AxisValues")]
    #[serde(deserialize_with = "axis::optional")]
    pub(crate) python: Option<Vec<PythonVersion>>,
    /// Couples axes: of the combinations of the axes named here, only these are built. Each entry
    /// names the same axes. On the command line, a value that no entry has, and a combination with
    /// one value for each of these axes, are free of it.
    #[schemars(with = "Vec<Combination>")]
    pub(crate) together: Vec<Spanned<Combination>>,
    /// Leaves out every combination that has all the values of an entry.
    #[schemars(with = "Vec<Combination>")]
    pub(crate) exclude: Vec<Spanned<Combination>>,
    /// Adds combinations. An axis that an entry does not name takes each of its values.
    #[schemars(with = "Vec<Combination>")]
    pub(crate) include: Vec<Spanned<Combination>>,
    /// The GPU architectures: a list as `8.0;9.0+PTX`, `native` for the GPUs of this machine, or
    /// `all-major` for every generation that CUDA and the package support; a `+PTX` behind these
    /// adds PTX of the newest. Or a table with a list for each CUDA release and a `default`.
    #[schemars(with = "TextPerCuda")]
    pub(crate) architectures: Option<PerCuda<ArchWish>>,
}

/// Values of some axes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Combination {
    /// A CUDA release.
    #[schemars(with = "String")]
    pub cuda: Option<CudaVersion>,
    /// A PyTorch release.
    #[schemars(with = "String")]
    pub torch: Option<TorchVersion>,
    /// A Python.
    #[schemars(with = "String")]
    pub python: Option<PythonVersion>,
    /// A version of the package.
    #[schemars(with = "String")]
    pub version: Option<Version>,
}

/// The shapes of `PerCuda`, for the JSON schema.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum TextPerCuda {
    /// One for every release.
    Text(String),
    /// By CUDA release, with a `default`.
    Table(std::collections::BTreeMap<String, String>),
}
