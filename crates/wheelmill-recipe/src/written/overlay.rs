//! One recipe table over another: the changes of a project file over the recipe that they change.

use toml::Spanned;

use super::recipe::{
    BuildTable, JobsTable, LimitsTable, RecipeTable, SourceTable, TestTable, WheelTable,
};
use crate::document::Span;

impl RecipeTable {
    /// Lays another table over this one, key by key. A new source takes the place of the old one
    /// with all its keys, and a new command or script that of the other.
    ///
    /// The positions of this table's keys lie in another text; they become `place`, the position
    /// of the whole upper table in its own text.
    pub(crate) fn overlaid(mut self, upper: Self, place: &Span) -> Self {
        self.relocate(place);
        Self {
            name: self.name.or(upper.name),
            summary: upper.summary.or(self.summary),
            homepage: upper.homepage.or(self.homepage),
            read_from: upper.read_from.or(self.read_from),
            built: upper.built.or(self.built),
            source: both(self.source, upper.source, |lower, upper| {
                let span = upper.span();
                Spanned::new(span, lower.into_inner().overlaid(upper.into_inner()))
            }),
            build: both(self.build, upper.build, BuildTable::overlaid),
            architectures: upper.architectures.or(self.architectures),
            jobs: both(self.jobs, upper.jobs, |lower, upper| JobsTable {
                variables: upper.variables.or(lower.variables),
                nvcc_threads: upper.nvcc_threads.or(lower.nvcc_threads),
                memory: upper.memory.or(lower.memory),
            }),
            wheel: both(self.wheel, upper.wheel, |lower, upper| WheelTable {
                repair: upper.repair.or(lower.repair),
                exclude: upper.exclude.or(lower.exclude),
                local_label: upper.local_label.or(lower.local_label),
                pin_torch: upper.pin_torch.or(lower.pin_torch),
                requires: upper.requires.or(lower.requires),
            }),
            test: both(self.test, upper.test, |lower, upper| TestTable {
                imports: upper.imports.or(lower.imports),
                modules: upper.modules.or(lower.modules),
                requires: upper.requires.or(lower.requires),
                gpu: upper.gpu.or(lower.gpu),
            }),
            limits: both(self.limits, upper.limits, |lower, upper| LimitsTable {
                cuda: upper.cuda.or(lower.cuda),
                torch: upper.torch.or(lower.torch),
                python: upper.python.or(lower.python),
                architectures: upper.architectures.or(lower.architectures),
                minimum_architecture: upper.minimum_architecture.or(lower.minimum_architecture),
                machines: upper.machines.or(lower.machines),
            }),
        }
    }

    fn relocate(&mut self, place: &Span) {
        fn to<T>(value: &mut Option<Spanned<T>>, place: &Span) {
            *value = value.take().map(|value| Spanned::new(place.clone(), value.into_inner()));
        }
        to(&mut self.name, place);
        if let Some(source) = &mut self.source {
            let source = source.get_mut();
            to(&mut source.pypi, place);
            to(&mut source.git, place);
            to(&mut source.revision, place);
            to(&mut source.submodules, place);
            to(&mut source.url, place);
            to(&mut source.sha256, place);
            to(&mut source.path, place);
        }
        to(&mut self.source, place);
        if let Some(build) = &mut self.build {
            to(&mut build.command, place);
            to(&mut build.script, place);
            build.environment = build.environment.take().map(|variables| {
                variables
                    .into_iter()
                    .map(|(name, value)| (Spanned::new(place.clone(), name.into_inner()), value))
                    .collect()
            });
        }
        for architecture in self.architectures.iter_mut().flatten() {
            architecture.variable =
                Spanned::new(place.clone(), architecture.variable.get_ref().clone());
        }
        if let Some(jobs) = &mut self.jobs {
            for variable in jobs.variables.iter_mut().flatten() {
                *variable = Spanned::new(place.clone(), variable.get_ref().clone());
            }
            to(&mut jobs.nvcc_threads, place);
        }
        if let Some(wheel) = &mut self.wheel {
            to(&mut wheel.pin_torch, place);
        }
    }
}

impl SourceTable {
    fn overlaid(self, upper: Self) -> Self {
        let lower = if upper.origins().next().is_some() {
            Self { subdirectory: self.subdirectory, patches: self.patches, ..Self::default() }
        } else {
            self
        };
        Self {
            pypi: upper.pypi.or(lower.pypi),
            git: upper.git.or(lower.git),
            revision: upper.revision.or(lower.revision),
            submodules: upper.submodules.or(lower.submodules),
            url: upper.url.or(lower.url),
            sha256: upper.sha256.or(lower.sha256),
            path: upper.path.or(lower.path),
            subdirectory: upper.subdirectory.or(lower.subdirectory),
            patches: upper.patches.or(lower.patches),
        }
    }

    /// The keys given that say where the source is, with their places.
    pub(crate) fn origins(&self) -> impl Iterator<Item = (&'static str, Span)> {
        [
            ("pypi", self.pypi.as_ref().map(Spanned::span)),
            ("git", self.git.as_ref().map(Spanned::span)),
            ("url", self.url.as_ref().map(Spanned::span)),
            ("path", self.path.as_ref().map(Spanned::span)),
        ]
        .into_iter()
        .filter_map(|(key, span)| Some((key, span?)))
    }
}

impl BuildTable {
    fn overlaid(self, upper: Self) -> Self {
        let (command, script) = if upper.command.is_some() || upper.script.is_some() {
            (upper.command, upper.script)
        } else {
            (self.command, self.script)
        };
        Self {
            torch: upper.torch.or(self.torch),
            cuda: upper.cuda.or(self.cuda),
            requires: upper.requires.or(self.requires),
            cuda_libraries: upper.cuda_libraries.or(self.cuda_libraries),
            environment: both(self.environment, upper.environment, |mut lower, upper| {
                for (name, value) in upper {
                    // The key of the upper table is kept with its position.
                    lower.remove(&name);
                    lower.insert(name, value);
                }
                lower
            }),
            command,
            script,
            conda_env: upper.conda_env.or(self.conda_env),
            network: upper.network.or(self.network),
            system_packages: upper.system_packages.or(self.system_packages),
            outputs: upper.outputs.or(self.outputs),
        }
    }
}

/// Joins two values, or takes the only one.
fn both<T>(lower: Option<T>, upper: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (lower, upper) {
        (Some(lower), Some(upper)) => Some(join(lower, upper)),
        (lower, upper) => upper.or(lower),
    }
}
