//! A recipe between its text and its use: paths anchored, patches read, defaults filled in.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use toml::Spanned;
use wheelmill_model::PackageName;

use super::check::Checker;
use super::path::anchored;
use crate::RecipeError;
use crate::document::{Document, Span};
use crate::recipe::{Build, Jobs, Limits, Origin, Patch, Recipe, SystemPackages, Test, Wheel};
use crate::spelling::ArchVariable;
use crate::written::{
    ArchitectureTable, BuildTable, FamilyPackages, JobsTable, LocalLabel, RecipeTable, Requirement,
    Template, VariableName, WheelTable,
};

/// Where the files lie that a recipe names.
pub(crate) enum Files {
    /// Beside the recipe.
    Folder(Utf8PathBuf),
    /// In this program, by their names.
    Embedded(&'static [(&'static str, &'static str)]),
}

impl Files {
    fn read(&self, path: &Utf8Path) -> io::Result<String> {
        match self {
            Self::Folder(folder) => fs_err::read_to_string(folder.join(path)),
            Self::Embedded(files) => files
                .iter()
                .find(|(name, _)| path == *name)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

/// What `setup.py` files of GPU packages commonly import without saying so.
const DEFAULT_REQUIRES: [&str; 4] = ["ninja", "packaging", "setuptools", "wheel"];

/// A recipe as written, freed of its place on disk: patches are read, paths are anchored. Two of
/// them can be laid over each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    table: RecipeTable,
    patches: Option<Vec<Patch>>,
}

impl Draft {
    /// Reads a whole recipe file.
    pub(crate) fn read(document: &Document, files: &Files) -> Result<Self, RecipeError> {
        Self::anchored(document, document.read()?, files)
    }

    /// Anchors a table that was read as part of a document.
    pub(crate) fn anchored(
        document: &Document,
        mut table: RecipeTable,
        files: &Files,
    ) -> Result<Self, RecipeError> {
        let Some(source) = &mut table.source else { return Ok(Self { table, patches: None }) };
        let source = source.get_mut();
        let patches = source
            .patches
            .as_ref()
            .map(|paths| paths.iter().map(|path| patch(document, path, files)).collect())
            .transpose()?;
        if let (Some(path), Files::Folder(folder)) = (&mut source.path, files) {
            *path.get_mut() = anchored(folder, path.get_ref());
        }
        Ok(Self { table, patches })
    }

    /// What holds for a package that has no recipe.
    pub(crate) fn default_for(name: PackageName) -> Self {
        let table = RecipeTable {
            name: Some(Spanned::new(0..0, name)),
            build: Some(BuildTable {
                torch: Some(true),
                requires: Some(DEFAULT_REQUIRES.map(|name| Requirement(name.to_owned())).to_vec()),
                environment: Some(BTreeMap::from([(
                    Spanned::new(0..0, VariableName("FORCE_CUDA".to_owned())),
                    Template("1".to_owned()),
                )])),
                ..BuildTable::default()
            }),
            ..RecipeTable::default()
        };
        Self { table, patches: None }
    }

    /// Whether it says where the source comes from.
    pub(crate) fn has_source(&self) -> bool {
        self.table.source.is_some()
    }

    /// Refuses a name in a table whose heading says another.
    pub(crate) fn check_name(
        &self,
        document: &Document,
        heading: &PackageName,
    ) -> Result<(), RecipeError> {
        match &self.table.name {
            Some(written) if written.get_ref() != heading => Err(document.combination(
                written.span(),
                format!("the heading says `{heading}`, the name says `{}`", written.get_ref()),
                "another name",
                "leave `name` out: the heading has it",
            )),
            _ => Ok(()),
        }
    }

    /// Lays another draft over this one; see [`RecipeTable::overlaid`].
    pub(crate) fn overlaid(self, upper: Self, place: &Span) -> Self {
        Self {
            table: self.table.overlaid(upper.table, place),
            patches: upper.patches.or(self.patches),
        }
    }

    /// Fills in the defaults and checks the keys against each other. `place` is where the whole
    /// recipe stands in the document; `name` its heading, when it has one.
    pub(crate) fn resolve(
        self,
        document: &Document,
        place: &Span,
        name: Option<PackageName>,
        origin: Origin,
    ) -> Result<Recipe, RecipeError> {
        let Self { table, patches } = self;
        let checker = Checker { document, place };
        let name = checker.name(table.name, name)?;
        let source_table = table.source.map(Spanned::into_inner).unwrap_or_default();
        let source = checker.source(&source_table, &name)?;
        let build_table = table.build.unwrap_or_default();
        let torch = build_table.torch.unwrap_or(false);
        let architecture_tables = table.architectures;
        let jobs_table = table.jobs.unwrap_or_default();
        checker.command_or_script(&build_table)?;
        let wheel_table = table.wheel.unwrap_or_default();
        checker.pin(&wheel_table, torch)?;
        checker.variables(&build_table, architecture_tables.as_deref(), &jobs_table)?;
        let test = table.test.unwrap_or_default();
        let limits = table.limits.unwrap_or_default();
        Ok(Recipe {
            name,
            summary: table.summary.unwrap_or_default(),
            homepage: table.homepage,
            read_from: table.read_from,
            built: table.built,
            source,
            patches: patches.unwrap_or_default(),
            subdirectory: source_table.subdirectory.map(|path| path.0),
            build: build(build_table),
            architectures: match architecture_tables {
                Some(tables) => tables.into_iter().map(architecture).collect(),
                None if torch => vec![ArchVariable::torch()],
                None => Vec::new(),
            },
            jobs: jobs(jobs_table),
            wheel: wheel(wheel_table, torch),
            test: Test {
                imports: texts(test.imports, |module| module.0),
                modules: texts(test.modules, |module| module.0),
                requires: texts(test.requires, |requirement| requirement.0),
                gpu: test.gpu,
            },
            limits: Limits {
                cuda: limits.cuda.map(|specifiers| specifiers.0),
                torch: limits.torch.map(|specifiers| specifiers.0),
                python: limits.python.map(|specifiers| specifiers.0),
                architectures: limits.architectures,
                minimum_architecture: limits.minimum_architecture,
                machines: limits
                    .machines
                    .map(|machines| machines.into_iter().map(|machine| machine.0).collect()),
            },
            origin,
        })
    }
}

fn patch(
    document: &Document,
    path: &Spanned<Utf8PathBuf>,
    files: &Files,
) -> Result<Patch, RecipeError> {
    let name = path.get_ref().to_string();
    match files.read(path.get_ref()) {
        Ok(text) => Ok(Patch { name, text }),
        Err(error) => Err(document.wrong_value(
            path.span(),
            match error.kind() {
                io::ErrorKind::NotFound => format!("there is no patch `{name}`"),
                kind => format!("the patch `{name}` could not be read: {kind}"),
            },
            Some("patches are named relative to the file that names them".to_owned()),
        )),
    }
}

fn texts<T>(values: Option<Vec<T>>, text: impl Fn(T) -> String) -> Vec<String> {
    values.into_iter().flatten().map(text).collect()
}

fn build(table: BuildTable) -> Build {
    let environment: BTreeMap<String, String> = table
        .environment
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.into_inner().0, value.0))
        .collect();
    Build {
        torch: table.torch.unwrap_or(false),
        cuda: table.cuda.unwrap_or(true),
        requires: texts(table.requires, |requirement| requirement.0),
        cuda_libraries: table.cuda_libraries.unwrap_or_default(),
        environment,
        command: table
            .command
            .map(|command| command.into_inner().into_iter().map(|argument| argument.0).collect()),
        script: table.script.map(|script| script.into_inner().0),
        conda_env: table.conda_env,
        network: table.network.unwrap_or(false),
        system_packages: match table.system_packages {
            Some(FamilyPackages::General(names)) => {
                let names = names.into_iter().map(|name| name.0).collect();
                SystemPackages { names, by_family: BTreeMap::new() }
            }
            Some(FamilyPackages::ByFamily(by_family)) => {
                SystemPackages { names: Vec::new(), by_family }
            }
            None => SystemPackages::default(),
        },
        outputs: table.outputs.map(|path| path.0.into_string()),
    }
}

/// What a wheel is labelled with that belongs to one CUDA and one torch.
const LABEL: &str = "cu{cuda_major}{cuda_minor}torch{torch}";
/// The same for one that belongs to a CUDA alone.
const LABEL_WITHOUT_TORCH: &str = "cu{cuda_major}{cuda_minor}";

fn wheel(table: WheelTable, torch: bool) -> Wheel {
    let usual = if torch { LABEL } else { LABEL_WITHOUT_TORCH };
    Wheel {
        repair: table.repair.unwrap_or(true),
        exclude: texts(table.exclude, |library| library.0),
        local_label: match table.local_label.unwrap_or(LocalLabel::Usual(torch)) {
            LocalLabel::Usual(false) => None,
            LocalLabel::Usual(true) => Some(usual.to_owned()),
            LocalLabel::Text(text) => Some(text),
        },
        pin_torch: table.pin_torch.map_or(torch, Spanned::into_inner),
        requires: texts(table.requires, |requirement| requirement.0),
    }
}

fn architecture(table: ArchitectureTable) -> ArchVariable {
    ArchVariable {
        variable: table.variable.into_inner().0,
        spelling: table.spelling,
        separator: table.separator.unwrap_or_else(|| table.spelling.separator().to_owned()),
        template: table.template.map(|template| template.0),
    }
}

/// Read by PyTorch's and setuptools' build rules, and by CMake.
const JOB_VARIABLES: [&str; 2] = ["MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL"];

fn jobs(table: JobsTable) -> Jobs {
    Jobs {
        variables: match table.variables {
            Some(names) => names.into_iter().map(|name| name.into_inner().0).collect(),
            None => JOB_VARIABLES.map(str::to_owned).to_vec(),
        },
        nvcc_threads: table.nvcc_threads.map(|name| name.into_inner().0),
        memory: table.memory,
    }
}
