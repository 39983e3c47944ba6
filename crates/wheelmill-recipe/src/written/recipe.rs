//! A recipe as written.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use wheelmill_model::{ByteSize, CudaArch, Digest, PackageName};

use super::values::{
    ArchTemplate, CommandText, FamilyPackages, LocalLabel, Machine, ModuleName, RelativePath,
    Requirement, SharedLibrary, SourceText, Specifiers, Template, VariableName,
};
use crate::Spelling;

/// How one package is built.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(title = "wheelmill recipe")]
pub(crate) struct RecipeTable {
    /// The package's name on the package index. A recipe file must give it; `[recipes.NAME]` in a
    /// project file has it in its heading.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) name: Option<Spanned<PackageName>>,
    /// What the package is, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) summary: Option<String>,
    /// The address of the package's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) homepage: Option<String>,
    /// The version whose build files this recipe was written from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) read_from: Option<String>,
    /// What was really built with this recipe, and for what. Absent when nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) built: Option<String>,
    /// Where the source comes from. Default: the source distribution of that name on the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SourceTable")]
    pub(crate) source: Option<Spanned<SourceTable>>,
    /// How the wheel is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BuildTable")]
    pub(crate) build: Option<BuildTable>,
    /// How the wished GPU architectures reach the build; each entry sets one variable. Default:
    /// `TORCH_CUDA_ARCH_LIST` in the spelling `torch` when `build.torch` is set, else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<ArchitectureTable>")]
    pub(crate) architectures: Option<Vec<ArchitectureTable>>,
    /// How the number of parallel compilers reaches the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "JobsTable")]
    pub(crate) jobs: Option<JobsTable>,
    /// What becomes of the wheel once it is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WheelTable")]
    pub(crate) wheel: Option<WheelTable>,
    /// What a good wheel of this package must hold and do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TestTable")]
    pub(crate) test: Option<TestTable>,
    /// What the package cannot be built for; a cell outside is impossible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LimitsTable")]
    pub(crate) limits: Option<LimitsTable>,
}

/// Where the source comes from. Of `pypi`, `git`, `url` and `path` one is given.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct SourceTable {
    /// The name of a source distribution on the package index.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) pypi: Option<Spanned<PackageName>>,
    /// The address of a git repository. Needs `revision`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) git: Option<Spanned<String>>,
    /// The tag, branch or commit of `git`. `{version}` is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) revision: Option<Spanned<SourceText>>,
    /// Whether the submodules of `git` are fetched too. Default: `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) submodules: Option<Spanned<bool>>,
    /// The address of an archive. `{version}` is replaced. Needs `sha256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) url: Option<Spanned<SourceText>>,
    /// The SHA-256 digest of the archive at `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) sha256: Option<Spanned<Digest>>,
    /// A folder on this machine, relative to the file that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) path: Option<Spanned<Utf8PathBuf>>,
    /// The folder inside the source that holds `pyproject.toml` or `setup.py`. Default: its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) subdirectory: Option<RelativePath>,
    /// Patch files, applied in order with `patch -p1`, relative to the file that names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) patches: Option<Vec<Spanned<Utf8PathBuf>>>,
}

/// How the wheel is made.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct BuildTable {
    /// Whether the package is built against PyTorch: torch is in the build environment, and the
    /// wheel belongs to that torch. Default: `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) torch: Option<bool>,
    /// Whether the wheel must hold device code; without it a build counts as failed. Default:
    /// `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) cuda: Option<bool>,
    /// Build requirements beside those that the source's own `pyproject.toml` names. Placeholders
    /// are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) requires: Option<Vec<Requirement>>,
    /// Libraries of the CUDA toolkit to compile against, beside the compiler and the runtime:
    /// names of extras of `cuda-toolkit` on the index, such as `cublas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) cuda_libraries: Option<Vec<String>>,
    /// Environment variables of the build. Placeholders are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) environment: Option<BTreeMap<Spanned<VariableName>, Template>>,
    /// The command that builds, as a list of arguments. Placeholders are replaced; `{out}` is the
    /// folder for the wheel. Default: a standard (PEP 517) build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) command: Option<Spanned<Vec<CommandText>>>,
    /// A script that builds, instead of `command`; bash runs it. Relative to the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) script: Option<Spanned<RelativePath>>,
    /// The conda environment to activate before the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) conda_env: Option<String>,
    /// Whether the build may reach the network while it compiles. Default: `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) network: Option<bool>,
    /// Packages of the Linux distribution that the build needs: a list of the general names
    /// (`c++`, `git`, `cmake`, `pkg-config`, …), or a table with a list of real package names for
    /// each family: `debian`, `fedora`, `suse`, `arch`, `alpine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FamilyPackages")]
    pub(crate) system_packages: Option<FamilyPackages>,
    /// Where the build leaves its wheels, relative to the source; `*` stands for any text in a
    /// file name. Default: the folder that it was told to write to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) outputs: Option<RelativePath>,
}

/// A variable that carries the wished GPU architectures.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ArchitectureTable {
    /// The name of the environment variable.
    #[schemars(with = "String")]
    pub(crate) variable: Spanned<VariableName>,
    /// How the list is spelled.
    pub(crate) spelling: Spelling,
    /// What parts the entries. Default: that of the spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(crate) separator: Option<String>,
    /// The variable's value, with `{archs}` where the list goes. Default: the list alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(crate) template: Option<ArchTemplate>,
}

/// How the number of parallel compilers reaches the build.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct JobsTable {
    /// The variables that carry it. Default: `MAX_JOBS` and `CMAKE_BUILD_PARALLEL_LEVEL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) variables: Option<Vec<Spanned<VariableName>>>,
    /// The variable that carries the number of threads of each nvcc, when the package has one. It
    /// is set to 1 where a build goes without the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) nvcc_threads: Option<Spanned<VariableName>>,
    /// The memory that one nvcc needs at most, as `4GB`: counts until builds have shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) memory: Option<ByteSize>,
}

/// What becomes of the wheel once it is built.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct WheelTable {
    /// Whether auditwheel repairs it: libraries of the distribution are copied into the wheel, and
    /// its tag becomes the manylinux tag that it has earned. Default: `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) repair: Option<bool>,
    /// Libraries that are not copied into the wheel, by their file names, in which `*` stands for
    /// any text: `libfoo.so.*`. Those of the driver, the CUDA toolkit and torch never are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) exclude: Option<Vec<SharedLibrary>>,
    /// The local label of the version: `true` for `cu130torch2.11`, or `cu130` where there is no
    /// torch; `false` for none; or a
    /// text, in which placeholders are replaced. Default: `true` when `build.torch` is set, else `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LocalLabel")]
    pub(crate) local_label: Option<LocalLabel>,
    /// Whether the wheel requires the torch that it was built with: `torch==2.11.*` in its metadata.
    /// Default: `true` when `build.torch` is set, else `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub(crate) pin_torch: Option<Spanned<bool>>,
    /// What the wheel needs at run time and its own metadata does not say. Placeholders are
    /// replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) requires: Option<Vec<Requirement>>,
}

/// What a good wheel of this package must hold and do.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct TestTable {
    /// Modules that must import where nothing is installed but the wheel and what it requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) imports: Option<Vec<ModuleName>>,
    /// Extension modules that the wheel must hold, by their dotted names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) modules: Option<Vec<ModuleName>>,
    /// What is installed beside the wheel and what it requires when it is tried: packages that it can
    /// do without, or that its users choose themselves. Placeholders are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) requires: Option<Vec<Requirement>>,
    /// Python code that must run where containers get a GPU. Without one, builds say that nothing
    /// was run on a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) gpu: Option<String>,
}

/// What the package cannot be built for.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct LimitsTable {
    /// The CUDA releases that it builds with, as `>=11.7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) cuda: Option<Specifiers>,
    /// The PyTorch releases that it builds with, as `>=2.2,<2.9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) torch: Option<Specifiers>,
    /// The Pythons that it builds for, as `>=3.9`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) python: Option<Specifiers>,
    /// The only architectures that its sources know. Default: all that CUDA knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) architectures: Option<Vec<CudaArch>>,
    /// The oldest architecture that its sources compile for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) minimum_architecture: Option<CudaArch>,
    /// The machines that it builds on: `x86_64`, `aarch64`. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>")]
    pub(crate) machines: Option<Vec<Machine>>,
}
