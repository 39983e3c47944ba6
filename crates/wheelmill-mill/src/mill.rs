//! The mill: one invocation's settings, recipes, engine and store, and the planning of wishes.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use wheelmill_engine::{
    Base, DaemonEngine, DaemonSettings, EmbeddedEngine, EmbeddedSettings, Engine, EngineError,
    EngineKind, ImageBuilder, NvidiaDriver,
};
use wheelmill_model::{CudaVersion, Digest, DigestBuilder, PackageName, PythonVersion, Version};
use wheelmill_recipe::{
    ArchWish, Axes, Cell, MatrixSection, PackageWish, Project, Recipe, Recipes, Source, expand,
    facts,
};
use wheelmill_store::{Store, StoreError};

use crate::build::compile_cache::Told;
use crate::defaults::Open;
use crate::environment::Composer;
use crate::error::MillError;
use crate::fetch::{Client, Index, PinError, newest};
use crate::host::{self, Host};
use crate::plan::{Ground, Plan};
use crate::planner::Planner;
use crate::settings::MillSettings;

/// The engine of the settings.
fn engine(settings: &MillSettings) -> Box<dyn Engine> {
    let (scratch, network) = (settings.cache.join("scratch"), settings.network.clone());
    match settings.engine {
        EngineKind::Embedded => Box::new(EmbeddedEngine::new(EmbeddedSettings {
            program: settings.program.clone(),
            layers: settings.cache.join("layers"),
            scratch,
            isolation: settings.isolation,
            hidden: settings.hidden.clone(),
            network,
        })),
        kind @ (EngineKind::Docker | EngineKind::Podman) => {
            let sockets = settings.sockets.clone();
            let images = settings.cache.join("layers");
            let cdi = settings.cdi.clone();
            Box::new(DaemonEngine::new(DaemonSettings { kind, sockets, images, cdi, network }))
        }
    }
}

/// Plans and builds, with the settings of one invocation.
pub struct Mill {
    pub(crate) settings: MillSettings,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) host: Host,
    recipes: Recipes,
    matrix: Option<MatrixSection>,
    /// Newest versions that the index named, until a build opens the store.
    found_newest: Mutex<Vec<(Digest, Version)>>,
    /// Asked when the first build is to have GPUs.
    driver: OnceLock<NvidiaDriver>,
    /// Whether it was said that compiles are not cached.
    pub(crate) told_of_cache: Told,
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
        let engine = engine(&settings);
        let matrix = project.map(|project| project.matrix.clone());
        Ok(Self {
            settings,
            engine,
            host: Host::measure(),
            recipes,
            matrix,
            found_newest: Mutex::default(),
            driver: OnceLock::new(),
            told_of_cache: Told::default(),
        })
    }

    /// The driver of this machine's GPUs. The first look takes a second or two.
    pub(crate) fn driver(&self) -> &NvidiaDriver {
        self.driver.get_or_init(host::driver)
    }

    /// The engine as one that builds images.
    pub(crate) fn builder(&self) -> Result<&dyn ImageBuilder, EngineError> {
        self.engine.builder().ok_or_else(|| EngineError::Unable {
            what: "an image of a Dockerfile".to_owned(),
            why: format!("the {} engine builds none", self.engine.kind()),
            fix: "choose a daemon with `--engine docker` or `--engine podman`".to_owned(),
        })
    }

    /// What a wish comes to. Asks no network and writes nothing.
    ///
    /// # Errors
    /// A recipe or the matrix is wrong, or the store cannot be read.
    pub fn plan(&self, wishes: &[PackageWish], axes: &Axes) -> Result<Plan, MillError> {
        let store = Store::open_existing(&self.settings.home)?;
        let (mut cells, mut seen) = (Vec::new(), HashSet::new());
        for wish in wishes {
            let recipe = self.recipe(&wish.name)?;
            let version = match &wish.version {
                Some(version) => Some(version.clone()),
                None => self.known_newest(store.as_ref(), wish, axes)?,
            };
            let versions = version.map_or_else(|| axes.versions.clone(), |version| vec![version]);
            let axes = Axes { versions, ..axes.clone() };
            let native = matches!(axes.architectures, Some(ArchWish::Native { .. }))
                || self.matrix.as_ref().is_some_and(MatrixSection::wants_native);
            let machine = self.host.for_matrix(native);
            let planned = expand(&recipe, &axes, self.matrix.as_ref(), &machine)
                .map_err(|source| MillError::Matrix { package: wish.name.clone(), source })?;
            let planner =
                Planner::new(self, store.as_ref(), recipe, Open::of(&axes, self.matrix.as_ref()))?;
            // Packages that are named twice are built once.
            for planned in planned {
                if seen.insert(planned.cell.clone()) {
                    cells.push(planner.plan(planned)?);
                }
            }
        }
        Ok(Plan { cells })
    }

    /// Asks the index for the newest version of every package that is wished for without one, so
    /// that the cells of a build have a version. Offline the wishes stay as they are, and a plan
    /// takes the version that the last build found.
    ///
    /// # Errors
    /// The index does not know the package, or cannot be asked.
    pub fn resolve_versions(
        &self,
        wishes: &[PackageWish],
        axes: &Axes,
    ) -> Result<Vec<PackageWish>, MillError> {
        if self.settings.network.offline {
            return Ok(wishes.to_vec());
        }
        let client = Client::new(&self.settings.network).map_err(MillError::Network)?;
        let index = Index::new(&client, &self.settings.network);
        let python = self.oldest_python(axes);
        let newest_of = |wish: &PackageWish| {
            let Some(name) = self.open_source(wish, axes)? else { return Ok(wish.clone()) };
            let releases = index.releases(&name).map_err(|source| {
                self.source_error(&wish.name, PinError::asking(&name, &index, source))
            })?;
            let release = newest(&releases, Some(python))
                .ok_or_else(|| self.source_error(&wish.name, PinError::NoSource(name.clone())))?;
            let question = self.newest_question(&name, python);
            let mut found = self.found_newest.lock().unwrap_or_else(PoisonError::into_inner);
            found.push((question, release.version.clone()));
            Ok(PackageWish { version: Some(release.version.clone()), ..wish.clone() })
        };
        wishes.iter().map(newest_of).collect()
    }

    /// Keeps what [`Self::resolve_versions`] found, for plans and for builds without a network.
    pub(crate) fn keep_newest(&self, store: &Store) -> Result<(), StoreError> {
        let mut found = self.found_newest.lock().unwrap_or_else(PoisonError::into_inner);
        found
            .drain(..)
            .try_for_each(|(question, version)| store.put_lock(&question, &version.to_string()))
    }

    /// The version that the last build found for a wish without one.
    fn known_newest(
        &self,
        store: Option<&Store>,
        wish: &PackageWish,
        axes: &Axes,
    ) -> Result<Option<Version>, MillError> {
        let (Some(store), Some(name)) = (store, self.open_source(wish, axes)?) else {
            return Ok(None);
        };
        let question = self.newest_question(&name, self.oldest_python(axes));
        Ok(store.lock(&question)?.and_then(|lock| lock.text.parse().ok()))
    }

    /// The package on the index that a wish is for, when nothing says which version of it.
    fn open_source(
        &self,
        wish: &PackageWish,
        axes: &Axes,
    ) -> Result<Option<PackageName>, MillError> {
        let named = wish.version.is_some()
            || !axes.versions.is_empty()
            || self.matrix.as_ref().is_some_and(|matrix| !matrix.versions.is_empty());
        match self.recipe(&wish.name)?.source {
            Source::Pypi { name } if !named => Ok(Some(name)),
            _ => Ok(None),
        }
    }

    fn newest_question(&self, name: &PackageName, python: PythonVersion) -> Digest {
        DigestBuilder::new("newest")
            .field("package", name.as_str())
            .field("python", python.to_string())
            .field("index", self.index_name())
            .finish()
    }

    fn oldest_python(&self, axes: &Axes) -> PythonVersion {
        let wanted = axes.python.iter().min().copied();
        wanted.unwrap_or_else(|| self.host.for_matrix(false).default_python)
    }

    pub(crate) fn recipe(&self, name: &PackageName) -> Result<Recipe, MillError> {
        self.recipes
            .get(name)
            .map_err(|source| MillError::Recipe { package: name.clone(), source: Box::new(source) })
    }

    pub(crate) fn source_error(&self, package: &PackageName, source: PinError) -> MillError {
        if let PinError::Index(error) = source {
            return MillError::Index(error);
        }
        let unknown = matches!(source, PinError::UnknownPackage { .. });
        let suggestions =
            if unknown { self.recipes.suggestions(package.as_str()) } else { Vec::new() };
        MillError::Source { package: package.clone(), source: Box::new(source), suggestions }
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

    /// What cells of a CUDA release start from: what the user chose, else this machine's own root,
    /// or for engines that only know images the image for that release.
    pub(crate) fn base(&self, cuda: CudaVersion) -> Base {
        if let Some(chosen) = self.settings.bases.of(cuda) {
            return chosen.clone();
        }
        let image = match self.settings.engine {
            EngineKind::Embedded => None,
            EngineKind::Docker | EngineKind::Podman => facts::default_image(cuda),
        };
        image.map_or_else(|| Base::Host { identity: self.host.identity() }, Base::Image)
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
