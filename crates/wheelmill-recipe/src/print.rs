//! A resolved recipe as the text of a recipe file.

use toml::Spanned;

use crate::recipe::{Recipe, Source};
use crate::written::{
    ArchTemplate, ArchitectureTable, BuildTable, CommandText, FamilyPackages, GeneralPackage,
    JobsTable, LimitsTable, LocalLabel, Machine, ModuleName, RecipeTable, RelativePath,
    Requirement, SharedLibrary, SourceTable, SourceText, Specifiers, Template, TestTable,
    VariableName, WheelTable,
};

impl Recipe {
    /// The recipe as a recipe file would say it, with every default written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(&written(self)).expect("a recipe can be written as TOML")
    }
}

/// A value that stands nowhere.
fn placed<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn written(recipe: &Recipe) -> RecipeTable {
    let source = SourceTable {
        subdirectory: recipe.subdirectory.clone().map(RelativePath),
        patches: (!recipe.patches.is_empty()).then(|| {
            recipe.patches.iter().map(|patch| placed(patch.name.clone().into())).collect()
        }),
        ..match recipe.source.clone() {
            Source::Pypi { name } => {
                SourceTable { pypi: Some(placed(name)), ..SourceTable::default() }
            }
            Source::Git { address, revision, submodules } => SourceTable {
                git: Some(placed(address)),
                revision: Some(placed(SourceText(revision))),
                submodules: Some(placed(submodules)),
                ..SourceTable::default()
            },
            Source::Url { address, sha256 } => SourceTable {
                url: Some(placed(SourceText(address))),
                sha256: Some(placed(sha256)),
                ..SourceTable::default()
            },
            Source::Path(path) => {
                SourceTable { path: Some(placed(path)), ..SourceTable::default() }
            }
        }
    };
    let build = recipe.build.clone();
    let variable = |name: &String| placed(VariableName(name.clone()));
    let modules = |names: &[String]| names.iter().cloned().map(ModuleName).collect();
    RecipeTable {
        name: Some(placed(recipe.name.clone())),
        summary: Some(recipe.summary.clone()),
        homepage: recipe.homepage.clone(),
        read_from: recipe.read_from.clone(),
        built: recipe.built.clone(),
        source: Some(placed(source)),
        build: Some(BuildTable {
            torch: Some(build.torch),
            cuda: Some(build.cuda),
            requires: Some(build.requires.into_iter().map(Requirement).collect()),
            cuda_libraries: Some(build.cuda_libraries),
            environment: Some(
                build
                    .environment
                    .into_iter()
                    .map(|(name, value)| (placed(VariableName(name)), Template(value)))
                    .collect(),
            ),
            command: build
                .command
                .map(|command| placed(command.into_iter().map(CommandText).collect())),
            script: build.script.map(|script| placed(RelativePath(script))),
            conda_env: build.conda_env,
            network: Some(build.network),
            system_packages: Some(if build.system_packages.by_family.is_empty() {
                let names = build.system_packages.names;
                FamilyPackages::General(names.into_iter().map(GeneralPackage).collect())
            } else {
                FamilyPackages::ByFamily(build.system_packages.by_family)
            }),
            outputs: build.outputs.map(|outputs| RelativePath(outputs.into())),
        }),
        architectures: Some(
            recipe
                .architectures
                .iter()
                .map(|architecture| ArchitectureTable {
                    variable: variable(&architecture.variable),
                    spelling: architecture.spelling,
                    separator: Some(architecture.separator.clone()),
                    template: architecture.template.clone().map(ArchTemplate),
                })
                .collect(),
        ),
        jobs: Some(JobsTable {
            variables: Some(recipe.jobs.variables.iter().map(variable).collect()),
            nvcc_threads: recipe.jobs.nvcc_threads.as_ref().map(variable),
            memory: recipe.jobs.memory,
        }),
        wheel: Some(WheelTable {
            repair: Some(recipe.wheel.repair),
            exclude: Some(recipe.wheel.exclude.iter().cloned().map(SharedLibrary).collect()),
            local_label: Some(match &recipe.wheel.local_label {
                Some(label) => LocalLabel::Text(label.clone()),
                None => LocalLabel::Usual(false),
            }),
            pin_torch: Some(placed(recipe.wheel.pin_torch)),
            requires: Some(recipe.wheel.requires.iter().cloned().map(Requirement).collect()),
        }),
        test: Some(TestTable {
            imports: Some(modules(&recipe.test.imports)),
            modules: Some(modules(&recipe.test.modules)),
            requires: Some(recipe.test.requires.iter().cloned().map(Requirement).collect()),
            gpu: recipe.test.gpu.clone(),
        }),
        limits: Some(LimitsTable {
            cuda: recipe.limits.cuda.clone().map(Specifiers),
            torch: recipe.limits.torch.clone().map(Specifiers),
            python: recipe.limits.python.clone().map(Specifiers),
            architectures: recipe.limits.architectures.clone(),
            minimum_architecture: recipe.limits.minimum_architecture,
            machines: recipe
                .limits
                .machines
                .clone()
                .map(|machines| machines.into_iter().map(Machine).collect()),
        }),
    }
}
