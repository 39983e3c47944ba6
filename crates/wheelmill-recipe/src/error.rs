//! What can be wrong with a recipe or a project file, and with the matrix made of them.

use camino::Utf8PathBuf;
use miette::{Diagnostic, NamedSource, SourceSpan};
use wheelmill_model::{CudaVersion, PackageName};

/// A recipe or a project file that cannot be used.
///
/// A report of it (`miette`) shows the line and a hint; its plain text is the message alone.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum RecipeError {
    /// A file could not be read.
    #[error("could not read `{file}`")]
    Read {
        /// The file.
        file: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something in a file is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mistake(Box<Mistake>),
}

impl RecipeError {
    /// The place in a file that is wrong, when the error is about one.
    #[must_use]
    pub fn mistake(&self) -> Option<&Mistake> {
        match self {
            Self::Mistake(mistake) => Some(mistake),
            Self::Read { .. } => None,
        }
    }
}

/// What sort of thing is wrong at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MistakeKind {
    /// The text is not TOML.
    Syntax,
    /// A key that means nothing there.
    UnknownKey,
    /// A value that its key does not take.
    Value,
    /// Keys that are good alone but not together, or one that lacks its partner.
    Combination,
}

/// One wrong place in a file.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Mistake {
    /// What sort of thing is wrong.
    pub kind: MistakeKind,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// The file.
    pub file: Utf8PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What to write instead, when that can be told.
    #[help]
    pub hint: Option<String>,
    #[source_code]
    pub(crate) code: NamedSource<String>,
    #[label("{label}")]
    pub(crate) span: SourceSpan,
    pub(crate) label: String,
}

/// Axes that cannot be expanded into cells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Diagnostic)]
pub enum MatrixError {
    /// `native` was asked for where no GPU is.
    #[error("the architecture `native` needs a GPU, and this machine shows none")]
    #[diagnostic(help("name the architectures: `--arch 8.0,9.0`, or `--arch all-major`"))]
    NoGpu,
    /// `together` and `exclude` leave nothing of the axes.
    #[error("no combination is left for {package}: {reason}")]
    Empty {
        /// The package.
        package: PackageName,
        /// Which rule took the last of them.
        reason: String,
        /// What to do.
        #[help]
        hint: String,
    },
    /// The project file gives architectures for some CUDA releases, but not for this one.
    #[error("`matrix.architectures` has neither an entry for CUDA {cuda} nor a `default`")]
    #[diagnostic(help("add `\"{cuda}\" = \"…\"` or `default = \"all-major\"` to the table"))]
    NoArchitectures {
        /// The release.
        cuda: CudaVersion,
    },
}

impl MatrixError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.help().map(|help| help.to_string())
    }
}
