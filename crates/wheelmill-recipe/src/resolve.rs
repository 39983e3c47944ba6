//! From a recipe as written to a resolved one: paths anchored, patches read, defaults filled in,
//! keys checked against each other.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use toml::Spanned;
use wheelmill_model::PackageName;

use crate::RecipeError;
use crate::document::{Document, Span};
use crate::recipe::{Build, Jobs, Limits, Origin, Patch, Recipe, Source, SystemPackages, Test};
use crate::spelling::ArchVariable;
use crate::suggest::list_words;
use crate::written::{
    ArchitectureTable, BuildTable, FamilyPackages, JobsTable, RecipeTable, Requirement,
    SourceTable, Template, VariableName,
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
            *path.get_mut() = folder.join(path.get_ref());
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
            test: Test {
                imports: texts(test.imports, |module| module.0),
                modules: texts(test.modules, |module| module.0),
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

/// The checks that need more than one key.
struct Checker<'a> {
    document: &'a Document,
    place: &'a Span,
}

impl Checker<'_> {
    fn name(
        &self,
        written: Option<Spanned<PackageName>>,
        heading: Option<PackageName>,
    ) -> Result<PackageName, RecipeError> {
        heading.or(written.map(Spanned::into_inner)).ok_or_else(|| {
            self.document.combination(
                self.place.clone(),
                "the recipe does not say which package it builds",
                "here",
                "write `name = \"…\"` in the first line",
            )
        })
    }

    fn source(&self, table: &SourceTable, name: &PackageName) -> Result<Source, RecipeError> {
        let origins: Vec<(&str, Span)> = table.origins().collect();
        if let [(first, _), (second, span), ..] = &origins[..] {
            return Err(self.document.combination(
                span.clone(),
                format!("the source is given twice, by `{first}` and by `{second}`"),
                "the second one",
                "keep one of `pypi`, `git`, `url` and `path`",
            ));
        }
        self.partner(table.revision.as_ref().map(Spanned::span), "revision", "git", table)?;
        self.partner(table.submodules.as_ref().map(Spanned::span), "submodules", "git", table)?;
        self.partner(table.sha256.as_ref().map(Spanned::span), "sha256", "url", table)?;
        if let Some(git) = &table.git {
            let Some(revision) = &table.revision else {
                return Err(self.document.combination(
                    git.span(),
                    "a git source needs a `revision`",
                    "of this repository",
                    "add `revision = \"v{version}\"`, or a branch or commit",
                ));
            };
            return Ok(Source::Git {
                address: git.get_ref().clone(),
                revision: revision.get_ref().0.clone(),
                submodules: table.submodules.as_ref().is_some_and(|flag| *flag.get_ref()),
            });
        }
        if let Some(url) = &table.url {
            let Some(sha256) = &table.sha256 else {
                return Err(self.document.combination(
                    url.span(),
                    "an archive needs its `sha256`, so that it is always the same",
                    "this archive",
                    "download it once and add `sha256 = \"…\"` with what `sha256sum` prints",
                ));
            };
            return Ok(Source::Url { address: url.get_ref().0.clone(), sha256: *sha256.get_ref() });
        }
        if let Some(path) = &table.path {
            return Ok(Source::Path(path.get_ref().clone()));
        }
        let name = table.pypi.as_ref().map_or(name, Spanned::get_ref);
        Ok(Source::Pypi { name: name.clone() })
    }

    /// Refuses a key of the source whose partner is not given.
    fn partner(
        &self,
        span: Option<Span>,
        key: &str,
        partner: &str,
        table: &SourceTable,
    ) -> Result<(), RecipeError> {
        match span {
            Some(span) if table.origins().all(|(origin, _)| origin != partner) => {
                Err(self.document.combination(
                    span,
                    format!("`{key}` belongs to a source by `{partner}`, which is not given"),
                    "this value",
                    format!("add `{partner} = \"…\"`, or remove `{key}`"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn command_or_script(&self, table: &BuildTable) -> Result<(), RecipeError> {
        if let Some(command) = &table.command
            && command.get_ref().is_empty()
        {
            return Err(self.document.wrong_value(
                command.span(),
                "the command is empty",
                Some("remove `command` for a standard build".to_owned()),
            ));
        }
        match (&table.command, &table.script) {
            (Some(_), Some(script)) => Err(self.document.combination(
                script.span(),
                "a build has a `command` or a `script`, not both",
                "the second one",
                "call the script from the command, or remove one",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a variable that two keys set, of which one would be lost.
    fn variables(
        &self,
        build: &BuildTable,
        architectures: Option<&[ArchitectureTable]>,
        jobs: &JobsTable,
    ) -> Result<(), RecipeError> {
        let environment = build
            .environment
            .iter()
            .flat_map(BTreeMap::keys)
            .map(|name| (name, "build.environment"));
        let architectures =
            architectures.into_iter().flatten().map(|table| (&table.variable, "architectures"));
        let jobs_variables = jobs.variables.iter().flatten().map(|name| (name, "jobs.variables"));
        let threads = jobs.nvcc_threads.iter().map(|name| (name, "jobs.nvcc-threads"));
        let mut seen: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
        for (name, key) in environment.chain(architectures).chain(jobs_variables).chain(threads) {
            let variable = name.get_ref().0.as_str();
            if let Some((first, first_span)) = seen.insert(variable, (key, name.span())) {
                let hint = if [first, key].contains(&"architectures") {
                    "put the whole value into the `template` of that architecture variable"
                } else {
                    "remove one of them"
                };
                // One that comes from the recipe below has no place of its own in this text.
                let span = if name.span() == *self.place { first_span } else { name.span() };
                return Err(self.document.combination(
                    span,
                    format!("`{variable}` is set twice, by {}", list_words(&[first, key])),
                    "one of the two",
                    hint,
                ));
            }
        }
        Ok(())
    }
}
