//! A resolved recipe: every key has its value, every check is done.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheelmill_model::{ByteSize, CudaArch, Digest, PackageName, Version, VersionSpecifiers};

use crate::document::Document;
use crate::resolve::{Draft, Files};
use crate::spelling::ArchVariable;
use crate::{RecipeError, placeholder};

/// How one package is built. Its JSON form does not tell where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recipe {
    /// The package.
    pub name: PackageName,
    /// What it is, in a few words; empty for the default recipe.
    pub summary: String,
    /// The address of its page.
    pub homepage: Option<String>,
    /// The version whose build files the recipe was written from.
    pub read_from: Option<String>,
    /// What was really built with it, and for what.
    pub built: Option<String>,
    /// Where the source comes from.
    pub source: Source,
    /// Patches for the source, in order.
    pub patches: Vec<Patch>,
    /// The folder in the source that holds the Python project.
    pub subdirectory: Option<Utf8PathBuf>,
    /// How the wheel is made.
    pub build: Build,
    /// The variables that carry the architectures.
    pub architectures: Vec<ArchVariable>,
    /// The variables that carry the number of compilers.
    pub jobs: Jobs,
    /// What becomes of the wheel.
    pub wheel: Wheel,
    /// What a good wheel holds and does.
    pub test: Test,
    /// What the package cannot be built for.
    pub limits: Limits,
    /// Where the recipe was written.
    #[serde(skip)]
    pub origin: Origin,
}

/// Where a source comes from. `{version}` is not replaced yet: [`Source::at`] does that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The source distribution on the package index.
    Pypi {
        /// Its name there.
        name: PackageName,
    },
    /// A git repository.
    Git {
        /// Its address.
        address: String,
        /// A tag, branch or commit.
        revision: String,
        /// Whether its submodules are fetched too.
        submodules: bool,
    },
    /// An archive.
    Url {
        /// Its address.
        address: String,
        /// What it must hash to.
        sha256: Digest,
    },
    /// A folder on this machine; a relative one is relative to the current folder.
    Path(Utf8PathBuf),
}

impl Source {
    /// The source of a version of the package.
    #[must_use]
    pub fn at(&self, version: &Version) -> Self {
        let replace = |text: &str| {
            placeholder::replace(text, |name| (name == "version").then(|| version.to_string()))
        };
        match self {
            Self::Git { address, revision, submodules } => Self::Git {
                address: address.clone(),
                revision: replace(revision),
                submodules: *submodules,
            },
            Self::Url { address, sha256 } => {
                Self::Url { address: replace(address), sha256: *sha256 }
            }
            Self::Pypi { .. } | Self::Path(_) => self.clone(),
        }
    }

    /// Whether the source cannot be named without a version of the package.
    #[must_use]
    pub fn needs_version(&self) -> bool {
        let versioned = |text: &str| {
            placeholder::pieces(text).contains(&placeholder::Piece::Placeholder("version"))
        };
        match self {
            Self::Git { revision, .. } => versioned(revision),
            Self::Url { address, .. } => versioned(address),
            Self::Pypi { .. } | Self::Path(_) => false,
        }
    }
}

/// A patch for the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// Its path as the recipe names it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// How the wheel is made. Texts still hold their placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Build {
    /// Whether torch is in the build environment and the wheel belongs to it.
    pub torch: bool,
    /// Whether the wheel must hold device code.
    pub cuda: bool,
    /// Build requirements beside those of the source; see [`Recipe::requirements`].
    pub requires: Vec<String>,
    /// Extras of `cuda-toolkit` to compile against.
    pub cuda_libraries: Vec<String>,
    /// Environment variables; see [`Recipe::environment`].
    pub environment: BTreeMap<String, String>,
    /// The command that builds; see [`Recipe::command`]. With neither command nor script, the
    /// build is a PEP 517 one.
    pub command: Option<Vec<String>>,
    /// The script that builds, relative to the source.
    pub script: Option<Utf8PathBuf>,
    /// The conda environment to activate first.
    pub conda_env: Option<String>,
    /// Whether the network is there while it compiles.
    pub network: bool,
    /// Packages of the distribution.
    pub system_packages: SystemPackages,
    /// Where the wheels are left, relative to the source, with `*` for any text in the last part.
    pub outputs: Option<String>,
}

/// Packages of the Linux distribution: general names, or real names by family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SystemPackages {
    /// wheelmill's general names, such as `c++` and `git`.
    pub names: Vec<String>,
    /// Real package names by distribution family: `debian`, `fedora`, `suse`, `arch`, `alpine`.
    pub by_family: BTreeMap<String, Vec<String>>,
}

/// The variables that carry the number of compilers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Jobs {
    /// Their names.
    pub variables: Vec<String>,
    /// The variable for the threads of one nvcc.
    pub nvcc_threads: Option<String>,
    /// The memory that one compiler needs at most.
    pub memory: Option<ByteSize>,
}

/// What becomes of a wheel once it is built. Texts still hold their placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wheel {
    /// Whether auditwheel repairs it.
    pub repair: bool,
    /// Libraries that it never holds copies of, beside those of the driver, CUDA and torch.
    pub exclude: Vec<String>,
    /// The local label of its version; see [`Recipe::local_label`].
    pub local_label: Option<String>,
    /// Whether it requires the torch that it was built with.
    pub pin_torch: bool,
    /// What it requires beside what its own metadata says; see [`Recipe::wheel_requirements`].
    pub requires: Vec<String>,
}

/// What a good wheel holds and does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Test {
    /// Modules that import.
    pub imports: Vec<String>,
    /// Extension modules in the wheel, by their dotted names.
    pub modules: Vec<String>,
    /// What is installed beside the wheel; see [`Recipe::test_requirements`].
    pub requires: Vec<String>,
    /// Python code to run where a GPU is.
    pub gpu: Option<String>,
}

/// What the package cannot be built for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// CUDA releases.
    pub cuda: Option<VersionSpecifiers>,
    /// PyTorch releases.
    pub torch: Option<VersionSpecifiers>,
    /// Pythons.
    pub python: Option<VersionSpecifiers>,
    /// The only architectures; `None` for all.
    pub architectures: Option<Vec<CudaArch>>,
    /// The oldest architecture.
    pub minimum_architecture: Option<CudaArch>,
    /// The only machines; `None` for all.
    pub machines: Option<Vec<String>>,
}

/// Where a recipe was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "file")]
pub enum Origin {
    /// In the catalogue of this program.
    Catalogue,
    /// In a recipe file.
    File(Utf8PathBuf),
    /// In the project file, over one of the others.
    Project(Utf8PathBuf),
    /// Nowhere: it is what holds for every package.
    Default,
}

impl Recipe {
    /// The recipe of a package that nobody wrote one for: its source distribution, built the
    /// standard way against torch, with all that builds of GPU packages commonly read.
    #[must_use]
    pub fn default_for(name: PackageName) -> Self {
        Draft::default_for(name.clone())
            .resolve(&Document::new("", Utf8Path::new("")), &(0..0), Some(name), Origin::Default)
            .expect("the default recipe has no mistake")
    }

    /// Reads a recipe from a text. Its patches are read from the folder of `file`.
    ///
    /// # Errors
    /// A `RecipeError` that points at the first mistake.
    pub fn parse(text: &str, file: &Utf8Path) -> Result<Self, RecipeError> {
        let document = Document::new(text, file);
        let files = Files::Folder(document.folder().to_owned());
        let draft = Draft::read(&document, &files)?;
        draft.resolve(&document, &(0..0), None, Origin::File(file.to_owned()))
    }

    /// Reads a recipe file.
    ///
    /// # Errors
    /// As `parse`, or that the file cannot be read.
    pub fn load(file: &Utf8Path) -> Result<Self, RecipeError> {
        let document = Document::load(file)?;
        Self::parse(&document.text, file)
    }
}
