//! What ends an operation as a whole. Failures of single cells are results, not errors.

use camino::Utf8PathBuf;
use wheelmill_engine::EngineError;
use wheelmill_model::PackageName;
use wheelmill_recipe::{MatrixError, RecipeError};
use wheelmill_store::StoreError;

use crate::fetch::{FetchError, IndexError, PinError};
use crate::preflight::Check;

/// Why an operation could not be done.
#[derive(Debug, thiserror::Error)]
pub enum MillError {
    /// Neither the command line nor a project file names a package.
    #[error("no package is named")]
    NothingWished,
    /// A recipe is wrong.
    #[error("the recipe of `{package}` cannot be used")]
    Recipe {
        /// The package.
        package: PackageName,
        /// Why.
        #[source]
        source: Box<RecipeError>,
    },
    /// The matrix is wrong.
    #[error("the matrix of `{package}` cannot be expanded")]
    Matrix {
        /// The package.
        package: PackageName,
        /// Why.
        #[source]
        source: MatrixError,
    },
    /// The package or its version does not exist.
    #[error("the source of `{package}` was not found")]
    Source {
        /// The package.
        package: PackageName,
        /// Why.
        #[source]
        source: Box<PinError>,
        /// Packages of a similar name that have recipes.
        suggestions: Vec<String>,
    },
    /// The package index cannot be asked.
    #[error(transparent)]
    Index(IndexError),
    /// The network settings cannot be used.
    #[error("the network cannot be used")]
    Network(#[source] FetchError),
    /// The engine cannot be set up.
    #[error("the engine cannot be used")]
    Engine(#[source] EngineError),
    /// The machine lacks something.
    #[error("this machine is not ready: {}", problems(.0))]
    NotReady(Vec<Check>),
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// A wheel was built and judged good, and the store could not take it.
    #[error("a good wheel was built and could not be stored; it lies at `{wheel}`")]
    NotKept {
        /// Where it lies until the next attempt at its cell.
        wheel: Utf8PathBuf,
        /// Why.
        #[source]
        source: Box<StoreError>,
    },
    /// A folder of wheelmill's own cannot be used.
    #[error("could not use `{path}`")]
    Files {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// This process cannot have another thread.
    #[error("could not start a thread for `{cell}`")]
    Thread {
        /// The cell that it was for.
        cell: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The user stopped it before a run began.
    #[error("interrupted")]
    Interrupted,
}

fn problems(checks: &[Check]) -> String {
    let messages: Vec<&str> = checks.iter().map(|check| check.message.as_str()).collect();
    messages.join("; ")
}

/// An error with its innermost cause, in one line: what lies between names layers of libraries.
pub(crate) fn brief(error: &dyn std::error::Error) -> String {
    let innermost = std::iter::successors(error.source(), |error| error.source()).last();
    let message = error.to_string();
    match innermost.map(ToString::to_string) {
        Some(cause) if !message.ends_with(&cause) => format!("{message}: {cause}"),
        _ => message,
    }
}

/// Which exit code an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wrong usage or configuration.
    Usage,
    /// The machine is not ready.
    NotReady,
    /// The user stopped it.
    Interrupted,
}

impl MillError {
    /// Which exit code it asks for.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotReady(checks) if checks.iter().all(Check::is_of_wishes) => ErrorKind::Usage,
            Self::NothingWished
            | Self::Recipe { .. }
            | Self::Matrix { .. }
            | Self::Source { .. } => ErrorKind::Usage,
            Self::Index(_)
            | Self::Network(_)
            | Self::Engine(_)
            | Self::NotReady(_)
            | Self::Store(_)
            | Self::NotKept { .. }
            | Self::Files { .. }
            | Self::Thread { .. } => ErrorKind::NotReady,
            Self::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// What to do about it, the likeliest first.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NothingWished => vec![
                "name one, as in `wheelmill build torchsort --cuda 13.0`".to_owned(),
                "see the known packages with `wheelmill recipes`".to_owned(),
            ],
            Self::Source { source, suggestions, package } => {
                let mut hints: Vec<String> =
                    suggestions.iter().map(|name| format!("did you mean `{name}`?")).collect();
                match &**source {
                    PinError::UnknownVersion { newest: Some(newest), .. } => {
                        hints.push(format!("name one that exists: `{package}=={newest}`"));
                    }
                    PinError::VersionNeeded(_) => {
                        hints.push(format!("name it, as in `{package}==1.2.3`"));
                    }
                    PinError::Folder { path, .. } => hints.push(format!(
                        "`path` under `[source]` is relative to the file that it is written in, and came to `{path}`"
                    )),
                    PinError::NoSource(_) | PinError::UnknownPackage { .. } => hints.push(format!(
                        "if it lives in a repository, write a recipe with `[source] git = …` under `[recipes.{package}]` in wheelmill.toml"
                    )),
                    _ => {}
                }
                hints
            }
            Self::Matrix { source, .. } => source.hint().into_iter().collect(),
            Self::Index(error) => vec![error.hint().to_owned()],
            Self::Network(error) => vec![error.hint().to_owned()],
            Self::NotReady(checks) => checks.iter().filter_map(|check| check.fix.clone()).collect(),
            Self::NotKept { source, .. } => store_hints(source),
            Self::Store(source) => store_hints(source),
            Self::Thread { .. } => vec![
                "build fewer cells at a time, as `--cells 1`, or raise the limit of processes (`ulimit -u`)"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

fn store_hints(error: &StoreError) -> Vec<String> {
    match error {
        StoreError::DiskFull { .. } => {
            vec!["free space on that disk, or choose another with WHEELMILL_HOME".to_owned()]
        }
        StoreError::ReadOnly { .. } => {
            vec!["choose another folder with WHEELMILL_HOME".to_owned()]
        }
        _ => Vec::new(),
    }
}
