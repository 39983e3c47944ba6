//! The project file, resolved.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheelmill_model::{
    ByteSize, CudaVersion, PackageName, PythonVersion, TimeLimit, TorchVersion, Version,
};

use crate::document::{Document, Span};
use crate::layout::layout_cells;
use crate::matrix::check_combinations;
use crate::recipe::{Origin, Recipe};
use crate::resolve::{Draft, Files};
use crate::suggest::closest;
use crate::written::{Combination, PerCuda, ProjectTable};
use crate::{
    ArchWish, Catalogue, EngineWish, GpuWish, HostSection, IsolationWish, Layout, LayoutCell,
    PackageWish, RecipeError, wildcard,
};

/// The file's name.
const FILE: &str = "wheelmill.toml";

/// A project file, with the recipes that it names or changes.
#[derive(Clone, Debug, Serialize)]
pub struct Project {
    /// The file.
    pub file: Utf8PathBuf,
    /// What to build.
    pub matrix: MatrixSection,
    /// How to build.
    pub build: BuildSection,
    /// Where wheels and history are kept.
    pub store: StoreSection,
    /// What may stay on the disk.
    pub clean: CleanSection,
    /// The set-up of the machine.
    pub host: HostSection,
    /// The images that it names.
    pub images: Vec<LayoutCell>,
    /// The recipes of the project, ready for use: those of its recipe files, and those that it
    /// changes.
    pub recipes: BTreeMap<PackageName, Recipe>,
    /// The packages of `recipes` that nobody else wrote a recipe for, and whose tables name no
    /// source: they change the default recipe.
    #[serde(skip)]
    defaults: Vec<PackageName>,
}

/// What to build. An empty axis takes its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MatrixSection {
    /// The packages.
    pub packages: Vec<PackageWish>,
    /// The versions.
    pub versions: Vec<Version>,
    /// The CUDA releases.
    pub cuda: Vec<CudaVersion>,
    /// The PyTorch releases.
    pub torch: Vec<TorchVersion>,
    /// The Pythons.
    pub python: Vec<PythonVersion>,
    /// The only combinations of the axes that these name.
    pub together: Vec<Combination>,
    /// Combinations to leave out.
    pub exclude: Vec<Combination>,
    /// Combinations to add.
    pub include: Vec<Combination>,
    /// The architectures.
    pub architectures: Option<PerCuda<ArchWish>>,
}

/// How to build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BuildSection {
    /// What runs the build.
    pub engine: Option<EngineWish>,
    /// How far builds are kept from the machine.
    pub isolation: Option<IsolationWish>,
    /// Which GPUs builds see.
    pub gpus: Option<GpuWish>,
    /// How long a build may compile.
    pub timeout: Option<TimeLimit>,
    /// The memory that a build may take.
    pub memory: Option<ByteSize>,
    /// The processors that a build may take.
    pub cpus: Option<NonZeroU32>,
    /// How many cells are built at a time, at most.
    pub cells: Option<NonZeroU32>,
    /// What the cache of compiles may take.
    pub compile_cache_size: Option<ByteSize>,
    /// The image or folder that builds start from, as written.
    pub base: Option<PerCuda<String>>,
}

/// Where wheels and history are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreSection {
    /// The folder; a relative one was anchored at the file's folder.
    pub path: Option<Utf8PathBuf>,
}

/// What may stay on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CleanSection {
    /// What everything that can be had again may take together.
    pub budget: Option<ByteSize>,
}

impl MatrixSection {
    /// Whether the machine's GPUs decide about architectures.
    #[must_use]
    pub fn wants_native(&self) -> bool {
        let wishes = self.architectures.iter().flat_map(PerCuda::values);
        wishes.into_iter().any(|wish| matches!(wish, ArchWish::Native { .. }))
    }
}

impl Project {
    /// Reads a project file and the recipe files that it names.
    ///
    /// # Errors
    /// A `RecipeError` that points at the first mistake, or a file that cannot be read.
    pub fn load(file: &Utf8Path) -> Result<Self, RecipeError> {
        Self::read(&Document::load(file)?)
    }

    /// Reads a project file from its text. The files that it names are read from the disk.
    ///
    /// # Errors
    /// As `load`.
    pub fn parse(text: &str, file: &Utf8Path) -> Result<Self, RecipeError> {
        Self::read(&Document::new(text, file))
    }

    /// The project file of a folder.
    #[must_use]
    pub fn file_in(folder: &Utf8Path) -> Option<Utf8PathBuf> {
        Some(folder.join(FILE)).filter(|file| file.is_file())
    }

    /// The images that it names, if it names any, and which of their files are missing.
    #[must_use]
    pub fn layout(&self) -> Option<Layout> {
        let folder = self.file.parent().unwrap_or(Utf8Path::new(""));
        let cells = self.images.iter().map(|cell| cell.clone().planned(folder)).collect();
        let layout = Layout { cells, remarks: Vec::new() };
        (!self.images.is_empty()).then_some(layout)
    }

    /// Whether it says what is built, in a matrix or with images, rather than only how.
    #[must_use]
    pub fn says_what_to_build(&self) -> bool {
        !self.images.is_empty() || self.matrix != MatrixSection::default()
    }

    /// Tables of recipes that belong to no package that is built here, with the package that was
    /// meant by each: one that is `wished` for, in the matrix, or has a recipe. A table whose name is
    /// near to none is taken for what it says.
    #[must_use]
    pub fn misspelled<'a>(&'a self, wished: &'a [PackageWish]) -> Vec<(&'a PackageName, &'a str)> {
        let built = || wished.iter().chain(&self.matrix.packages).map(|wish| &wish.name);
        let unused = self.defaults.iter().filter(|name| built().all(|built| built != *name));
        unused
            .filter_map(|name| {
                let own = self.recipes.keys().filter(|own| !self.defaults.contains(own));
                let known = built().chain(own).map(PackageName::as_str);
                let meant = closest(name.as_str(), known)
                    .or_else(|| closest(name.as_str(), Catalogue::builtin().names()))?;
                Some((name, meant))
            })
            .collect()
    }

    fn read(document: &Document) -> Result<Self, RecipeError> {
        let table: ProjectTable = document.read()?;
        check_combinations(document, &table.matrix)?;
        let (recipes, defaults) = recipes(document, &table)?;
        let images = layout_cells(document, &table.layout)?;
        let matrix = table.matrix;
        let plain = |entries: Vec<toml::Spanned<Combination>>| -> Vec<Combination> {
            entries.into_iter().map(toml::Spanned::into_inner).collect()
        };
        Ok(Self {
            file: document.file.clone(),
            matrix: MatrixSection {
                packages: matrix.package,
                versions: matrix.version.unwrap_or_default(),
                cuda: matrix.cuda.unwrap_or_default(),
                torch: matrix.torch.unwrap_or_default(),
                python: matrix.python.unwrap_or_default(),
                together: plain(matrix.together),
                exclude: plain(matrix.exclude),
                include: plain(matrix.include),
                architectures: matrix.architectures,
            },
            build: BuildSection {
                engine: table.build.engine,
                isolation: table.build.isolation,
                gpus: table.build.gpus,
                timeout: table.build.timeout,
                memory: table.build.memory,
                cpus: table.build.cpus,
                cells: table.build.cells,
                compile_cache_size: table.build.compile_cache_size,
                base: table.build.base,
            },
            store: StoreSection { path: table.store.path.map(|path| document.folder().join(path)) },
            clean: CleanSection { budget: table.clean.budget },
            host: HostSection::resolve(document, &table.host)?,
            images,
            recipes,
            defaults,
        })
    }
}

/// A recipe as written, with the text that its positions lie in.
struct Base {
    document: Document,
    draft: Draft,
    origin: Origin,
}

fn recipes(
    document: &Document,
    table: &ProjectTable,
) -> Result<(BTreeMap<PackageName, Recipe>, Vec<PackageName>), RecipeError> {
    let mut bases = recipe_files(document, &table.recipe_files)?;
    let (mut recipes, mut defaults) = (BTreeMap::new(), Vec::new());
    let files = Files::Folder(document.folder().to_owned());
    for (name, changes) in &table.recipes {
        let place: Span = changes.span();
        let upper = Draft::anchored(document, changes.get_ref().clone(), &files)?;
        let base = match bases.remove(name) {
            Some(base) => base.draft,
            None => match Catalogue::builtin().draft(name)? {
                Some((_, draft)) => draft,
                None => {
                    defaults.extend((!upper.has_source()).then(|| name.clone()));
                    Draft::default_for(name.clone())
                }
            },
        };
        upper.check_name(document, name)?;
        let recipe = base.overlaid(upper, &place).resolve(
            document,
            &place,
            Some(name.clone()),
            Origin::Project(document.file.clone()),
        )?;
        recipes.insert(name.clone(), recipe);
    }
    for (name, base) in bases {
        let recipe = base.draft.resolve(&base.document, &(0..0), None, base.origin)?;
        recipes.insert(name, recipe);
    }
    Ok((recipes, defaults))
}

/// Reads the user's recipe files.
fn recipe_files(
    project: &Document,
    patterns: &[toml::Spanned<String>],
) -> Result<BTreeMap<PackageName, Base>, RecipeError> {
    let mut bases: BTreeMap<PackageName, Base> = BTreeMap::new();
    for pattern in patterns {
        let path = project.folder().join(pattern.get_ref());
        let found = wildcard::files(&path)
            .map_err(|source| RecipeError::Read { file: path.clone(), source })?;
        if found.is_empty() {
            return Err(project.wrong_value(
                pattern.span(),
                format!("there is no recipe file `{}`", pattern.get_ref()),
                Some(
                    "paths are relative to this file, and `*` stands only in the last part".into(),
                ),
            ));
        }
        for file in found {
            let document = Document::load(&file)?;
            let files = Files::Folder(document.folder().to_owned());
            let draft = Draft::read(&document, &files)?;
            // Checks the whole file, so that its mistakes are shown in it.
            let recipe =
                draft.clone().resolve(&document, &(0..0), None, Origin::File(file.clone()))?;
            if let Some(first) = bases.get(&recipe.name)
                && first.document.file != file
            {
                return Err(project.combination(
                    pattern.span(),
                    format!(
                        "`{}` has two recipes, `{}` and `{file}`",
                        recipe.name, first.document.file
                    ),
                    "the second comes from here",
                    "keep one of the files",
                ));
            }
            bases.insert(recipe.name, Base { document, draft, origin: Origin::File(file) });
        }
    }
    Ok(bases)
}
