//! The mill: one invocation's settings, recipes, engine and store, and the planning of wishes.

use wheelmill_engine::{Base, EmbeddedEngine, EmbeddedSettings, Engine};
use wheelmill_model::{CudaVersion, Digest, PackageName};
use wheelmill_recipe::{
    ArchWish, Axes, Cell, MatrixSection, PackageWish, Project, Recipe, Recipes, Source, expand,
};
use wheelmill_store::Store;

use crate::environment::Composer;
use crate::error::MillError;
use crate::fetch::{Client, Index, PinError, newest};
use crate::host::{Host, available_memory};
use crate::plan::{Ground, Plan};
use crate::planner::Planner;
use crate::preflight::{self, Check, CheckState};
use crate::settings::MillSettings;

/// Plans and builds, with the settings of one invocation.
pub struct Mill {
    pub(crate) settings: MillSettings,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) host: Host,
    recipes: Recipes,
    matrix: Option<MatrixSection>,
}

impl Mill {
    /// A mill. Measures the machine; opens and changes nothing.
    ///
    /// # Errors
    /// The engine cannot be set up.
    pub fn new(
        settings: MillSettings,
        recipes: Recipes,
        project: Option<&Project>,
    ) -> Result<Self, MillError> {
        let engine = EmbeddedEngine::new(EmbeddedSettings {
            program: settings.program.clone(),
            layers: settings.cache.join("layers"),
            scratch: settings.cache.join("scratch"),
            hidden: settings.hidden.clone(),
            network: settings.network.clone(),
        });
        let matrix = project.map(|project| project.matrix.clone());
        Ok(Self { settings, engine: Box::new(engine), host: Host::measure(), recipes, matrix })
    }

    /// What a wish comes to. Asks no network and writes nothing.
    ///
    /// # Errors
    /// A recipe or the matrix is wrong, or the store cannot be read.
    pub fn plan(&self, wishes: &[PackageWish], axes: &Axes) -> Result<Plan, MillError> {
        let store = Store::open_existing(&self.settings.home)?;
        let mut cells = Vec::new();
        for wish in wishes {
            let recipe = self.recipe(&wish.name)?;
            let axes = Axes {
                versions: wish
                    .version
                    .clone()
                    .map_or_else(|| axes.versions.clone(), |version| vec![version]),
                ..axes.clone()
            };
            let native = matches!(axes.architectures, Some(ArchWish::Native { .. }))
                || self.matrix.as_ref().is_some_and(MatrixSection::wants_native);
            let machine = self.host.for_matrix(native);
            let planned = expand(&recipe, &axes, self.matrix.as_ref(), &machine)
                .map_err(|source| MillError::Matrix { package: wish.name.clone(), source })?;
            let planner = Planner::new(self, store.as_ref(), recipe)?;
            for planned in planned {
                cells.push(planner.plan(planned)?);
            }
        }
        Ok(Plan { cells })
    }

    /// Asks the index for the newest version of every package that is wished for without one, so
    /// that the cells of a build have a version. Without a network, what an earlier build found
    /// stays: the wish is left as it is.
    ///
    /// # Errors
    /// The index does not know the package, or cannot be asked.
    pub fn resolve_versions(
        &self,
        wishes: &[PackageWish],
        axes: &Axes,
    ) -> Result<Vec<PackageWish>, MillError> {
        let client = Client::new(&self.settings.network).map_err(MillError::Network)?;
        let index = Index::new(&client, &self.settings.network);
        let python = axes.python.iter().min().copied();
        wishes
            .iter()
            .map(|wish| {
                let recipe = self.recipe(&wish.name)?;
                let Source::Pypi { name } = &recipe.source else { return Ok(wish.clone()) };
                if wish.version.is_some() || !axes.versions.is_empty() || self.matrix_versions() {
                    return Ok(wish.clone());
                }
                let releases = index.releases(name).map_err(|source| {
                    self.source_error(&wish.name, PinError::asking(name, &index, source))
                })?;
                let python = python.unwrap_or_else(|| self.host.for_matrix(false).default_python);
                let release = newest(&releases, Some(python)).ok_or_else(|| {
                    self.source_error(&wish.name, PinError::NoSource(name.clone()))
                })?;
                Ok(PackageWish { version: Some(release.version.clone()), ..wish.clone() })
            })
            .collect()
    }

    /// What of this machine would stop a plan from being built. Reads only; asks the index when
    /// something must be fetched.
    #[must_use]
    pub fn preflight(&self, plan: &Plan) -> Vec<Check> {
        if plan.wanted().next().is_none() {
            return Vec::new();
        }
        let locked = plan
            .wanted()
            .all(|cell| cell.ground.as_ref().is_some_and(|ground| ground.lock.is_some()));
        let mut checks = preflight::engine(self.engine.as_ref());
        checks.push(preflight::disk(&self.settings.cache, locked));
        checks.push(preflight::disk(&self.settings.home, true));
        checks.push(preflight::memory(self.settings.memory.or_else(available_memory)));
        if !locked {
            checks.push(match Client::new(&self.settings.network) {
                Ok(client) => {
                    preflight::index(&client, &Index::new(&client, &self.settings.network))
                }
                Err(error) => Check {
                    code: "index",
                    state: CheckState::Problem,
                    message: error.to_string(),
                    fix: None,
                },
            });
        }
        checks
    }

    pub(crate) fn recipe(&self, name: &PackageName) -> Result<Recipe, MillError> {
        self.recipes
            .get(name)
            .map_err(|source| MillError::Recipe { package: name.clone(), source: Box::new(source) })
    }

    pub(crate) fn source_error(&self, package: &PackageName, source: PinError) -> MillError {
        let unknown = matches!(source, PinError::UnknownPackage { .. });
        let suggestions =
            if unknown { self.recipes.suggestions(package.as_str()) } else { Vec::new() };
        MillError::Source { package: package.clone(), source, suggestions }
    }

    fn matrix_versions(&self) -> bool {
        self.matrix.as_ref().is_some_and(|matrix| !matrix.versions.is_empty())
    }

    pub(crate) fn composer<'a>(
        &'a self,
        cell: &'a Cell,
        recipe: &'a Recipe,
        ground: &'a Ground,
        base: &'a Base,
    ) -> Composer<'a> {
        Composer {
            cell,
            recipe,
            base,
            host: &self.host,
            toolchain: &ground.toolchain,
            network: &self.settings.network,
            cache: &self.settings.cache,
        }
    }

    pub(crate) fn base(&self, cuda: CudaVersion) -> Base {
        self.settings
            .bases
            .of(cuda)
            .cloned()
            .unwrap_or_else(|| Base::Host { identity: self.host.identity() })
    }

    pub(crate) fn index_name(&self) -> String {
        // Two indexes may hold different files under one name.
        self.settings
            .network
            .index
            .as_ref()
            .map(|index| Digest::of(index.reveal().as_bytes()).short())
            .unwrap_or_default()
    }
}
