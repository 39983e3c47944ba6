//! What was typed, set and written comes together here: flags outrank environment variables, those
//! outrank `wheelmill.toml`, that outranks the user's configuration, and defaults come last.

use std::cell::OnceCell;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_recipe::{BuildSection, Layout, Project, Recipes};
use wheelmill_store::Store;

use crate::cli::GlobalArgs;
use crate::environment::{self, Environment};
use crate::error::{CliError, Ending};
use crate::output::Printer;

/// What makes a folder a project.
enum Place {
    /// Its project file.
    File(Utf8PathBuf),
    /// The folder, by the images that it holds.
    Layout(Utf8PathBuf),
}

impl Place {
    fn of(folder: &Utf8Path) -> Option<Self> {
        let file = Project::file_in(folder).map(Self::File);
        file.or_else(|| Layout::is_in(folder).then(|| Self::Layout(folder.to_owned())))
    }
}

/// One invocation: its environment, its files, its output. Files are read when they are first asked
/// for, so that a broken one stops only the commands that need it.
pub(crate) struct Session {
    pub environment: Environment,
    pub printer: Printer,
    project_folder: Option<Utf8PathBuf>,
    project: OnceCell<Option<Project>>,
    user: OnceCell<Option<Project>>,
}

impl Session {
    /// A session of these arguments in this environment.
    pub(crate) fn new(global: &GlobalArgs, environment: Environment, printer: Printer) -> Self {
        let project_folder = global
            .project
            .clone()
            .or_else(|| environment.get(environment::PROJECT).map(Utf8PathBuf::from));
        Self {
            environment,
            printer,
            project_folder,
            project: OnceCell::new(),
            user: OnceCell::new(),
        }
    }

    /// The project file, when there is one.
    ///
    /// # Errors
    /// It cannot be read or understood, or `--project` names a folder that has none.
    pub(crate) fn project(&self) -> Result<Option<&Project>, CliError> {
        if let Some(project) = self.project.get() {
            return Ok(project.as_ref());
        }
        let project = match self.place()? {
            Some(Place::File(file)) => Some(Project::load(&file)?),
            _ => None,
        };
        Ok(self.project.get_or_init(|| project).as_ref())
    }

    /// The images that the project file names. Where it names neither these nor a matrix, or there
    /// is no such file, it is those that the folder holds.
    ///
    /// # Errors
    /// They cannot be told.
    pub(crate) fn layout(&self) -> Result<Option<Layout>, CliError> {
        match self.place()? {
            Some(Place::Layout(folder)) => Ok(Layout::find(&folder)?),
            Some(Place::File(file)) => match self.project()? {
                Some(project) if project.says_what_to_build() => Ok(project.layout()),
                _ => Ok(file.parent().map(Layout::find).transpose()?.flatten()),
            },
            None => Ok(None),
        }
    }

    /// The folder that was named with `--project`, else the current one, whatever it holds.
    ///
    /// # Errors
    /// The current folder is gone.
    pub(crate) fn named_folder(&self) -> Result<Utf8PathBuf, CliError> {
        let current = current_folder()?;
        Ok(self.project_folder.as_ref().map_or(current.clone(), |folder| current.join(folder)))
    }

    /// What the project is: what `--project` names, else the nearest that this folder or one above
    /// holds.
    fn place(&self) -> Result<Option<Place>, CliError> {
        let current = current_folder()?;
        let Some(folder) = &self.project_folder else {
            return Ok(current.ancestors().find_map(Place::of));
        };
        let folder = current.join(folder);
        let found = Place::of(&folder).ok_or_else(|| {
            CliError::usage(format!("there is no `{PROJECT_FILE}` in `{folder}`")).hint(
                "`--project` takes the folder that holds the file, or Dockerfiles as \
                 `configs/PyTorch/Dockerfile_cuda90_builder`",
            )
        });
        found.map(Some)
    }

    /// The user's configuration, when there is one. It has the form of a project file, of which
    /// only the sections count that are about the machine.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub(crate) fn user(&self) -> Result<Option<&Project>, CliError> {
        if let Some(user) = self.user.get() {
            return Ok(user.as_ref());
        }
        let file = self
            .environment
            .xdg("XDG_CONFIG_HOME", ".config")
            .map(|folder| folder.join("wheelmill").join("config.toml"))
            .filter(|file| file.is_file());
        let user = match file {
            Some(file) => Some(Project::load(&file)?),
            None => None,
        };
        Ok(self.user.get_or_init(|| user).as_ref())
    }

    /// All recipes, the project's first.
    ///
    /// # Errors
    /// The project file cannot be used.
    pub(crate) fn recipes(&self) -> Result<Recipes, CliError> {
        Ok(self.project()?.map_or_else(Recipes::builtin, Recipes::for_project))
    }

    /// The folder of the store.
    ///
    /// # Errors
    /// A file that could name it cannot be used, or nothing names it.
    pub(crate) fn home(&self) -> Result<Utf8PathBuf, CliError> {
        if let Some(home) = self.environment.get(environment::HOME) {
            return absolute(home);
        }
        let named = |file: Option<&Project>| file.and_then(|file| file.store.path.clone());
        if let Some(path) = named(self.project()?) {
            return Ok(path);
        }
        if let Some(path) = named(self.user()?) {
            return Ok(path);
        }
        let folder = self.environment.xdg("XDG_DATA_HOME", ".local/share");
        folder.map(|folder| folder.join("wheelmill")).ok_or_else(|| no_folder(environment::HOME))
    }

    /// The folder of what can be fetched or made again.
    ///
    /// # Errors
    /// Nothing names it, or what is named is no folder.
    pub(crate) fn cache(&self) -> Result<Utf8PathBuf, CliError> {
        let cache = match self.environment.get(environment::CACHE) {
            Some(cache) => absolute(cache)?,
            None => {
                let folder = self.environment.xdg("XDG_CACHE_HOME", ".cache");
                let folder = folder.ok_or_else(|| no_folder(environment::CACHE))?;
                folder.join("wheelmill")
            }
        };
        if cache.ancestors().find(|folder| folder.exists()).is_some_and(|folder| !folder.is_dir()) {
            return Err(CliError::usage(format!("the cache `{cache}` is not a folder"))
                .hint(format!("choose another folder: set `{}`", environment::CACHE)));
        }
        Ok(cache)
    }

    /// The store, for commands that only look: none where nothing was built yet. Runs whose
    /// process died are settled first, so that what is shown is true.
    ///
    /// # Errors
    /// The store is there and cannot be used.
    pub(crate) fn store(&self) -> Result<Option<Store>, CliError> {
        let store = Store::open_existing(&self.home()?)?;
        if let Some(store) = &store {
            store.settle_dead_runs()?;
        }
        Ok(store)
    }

    /// The value of a variable in the form that it is wanted in.
    ///
    /// # Errors
    /// The value is set and wrong.
    pub(crate) fn variable<T>(&self, name: &'static str) -> Result<Option<T>, CliError>
    where
        T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        self.environment
            .get(name)
            .map(|value| {
                value.parse().map_err(|source: T::Err| {
                    CliError::new(Ending::Usage, VariableError { name, source: source.into() })
                })
            })
            .transpose()
    }

    /// What is set for a build: by a flag, else by a variable, else by the first file that says it.
    ///
    /// # Errors
    /// The variable is set and wrong, or a file cannot be used.
    pub(crate) fn setting<T>(
        &self,
        flag: Option<T>,
        variable: &'static str,
        of_file: impl Fn(&BuildSection) -> Option<T>,
    ) -> Result<Option<T>, CliError>
    where
        T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        if flag.is_some() {
            return Ok(flag);
        }
        let set = self.variable(variable)?;
        let files = self.files()?;
        Ok(set.or_else(|| files.into_iter().find_map(|file| of_file(&file.build))))
    }

    /// The files that hold settings, the stronger first.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub(crate) fn files(&self) -> Result<Vec<&Project>, CliError> {
        Ok([self.project()?, self.user()?].into_iter().flatten().collect())
    }

    /// A variable that is on or off.
    ///
    /// # Errors
    /// The value is set and is neither.
    pub(crate) fn switch(&self, name: &'static str) -> Result<bool, CliError> {
        match self.environment.get(name) {
            None | Some("0" | "false" | "no" | "off") => Ok(false),
            Some("1" | "true" | "yes" | "on") => Ok(true),
            Some(_) => Err(CliError::new(
                Ending::Usage,
                VariableError { name, source: "write `1` or `0`".into() },
            )),
        }
    }
}

/// The name of a project file.
pub(crate) const PROJECT_FILE: &str = "wheelmill.toml";

#[derive(Debug, thiserror::Error)]
#[error("the environment variable `{name}` has a value that cannot be used")]
struct VariableError {
    name: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn no_folder(variable: &str) -> CliError {
    CliError::usage("`HOME` is not set, so that no folder of yours is known")
        .hint(format!("set `{variable}` to a folder"))
}

fn absolute(path: &str) -> Result<Utf8PathBuf, CliError> {
    Ok(current_folder()?.join(path))
}

/// The folder that the command was typed in.
///
/// # Errors
/// It is gone, or its name is not UTF-8.
pub(crate) fn current_folder() -> Result<Utf8PathBuf, CliError> {
    let folder = std::env::current_dir().map_err(|source| {
        CliError::new(Ending::Usage, CurrentFolderError { source })
            .hint("change to a folder that exists")
    })?;
    Utf8PathBuf::from_path_buf(folder).map_err(|folder| {
        CliError::usage(format!("the folder {folder:?} has a name that is not UTF-8"))
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the current folder cannot be used")]
struct CurrentFolderError {
    source: std::io::Error,
}
