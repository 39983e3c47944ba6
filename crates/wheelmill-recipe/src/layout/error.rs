//! Why the images of a folder cannot be told, or not those that were meant.

use camino::Utf8PathBuf;
use wheelmill_model::{CudaVersion, PackageName};

use crate::suggest::{list, list_words};

/// A folder of images that cannot be used, or a wish that it does not fulfil.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A folder could not be read.
    #[error("could not read `{folder}`")]
    Read {
        /// The folder.
        folder: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Two folders would be one thing.
    #[error("`{0}` and `{1}` differ in upper and lower case only, and one thing is meant by both")]
    Case(Utf8PathBuf, Utf8PathBuf),
    /// Two folders of Dockerfiles are of one name.
    #[error("`{first}` and `{second}` are one name, `{package}`")]
    OneName {
        /// A folder.
        first: Utf8PathBuf,
        /// Another.
        second: Utf8PathBuf,
        /// What both come to.
        package: PackageName,
    },
    /// There is no image of this name.
    #[error("there is no Dockerfile for `{name}` in this folder")]
    UnknownName {
        /// What was written.
        name: String,
        /// The names that are near, else all there are.
        instead: Vec<String>,
    },
    /// There is no image for this CUDA release.
    #[error("there is no Dockerfile of {} for CUDA {cuda}", list(.names))]
    UnknownCuda {
        /// What was wished for.
        cuda: CudaVersion,
        /// Of which names.
        names: Vec<String>,
        /// The releases that they have one for.
        known: Vec<CudaVersion>,
    },
    /// A version was named, which the installer in the image decides.
    #[error("`{0}` names a version, and which one is built is decided by the image's installer")]
    Version(String),
}

impl LayoutError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => return None,
            Self::Case(..) => "keep one of them".to_owned(),
            Self::OneName { .. } => "keep one of them, or rename one".to_owned(),
            Self::UnknownName { instead, .. } if instead.is_empty() => return None,
            Self::UnknownName { instead, .. } => format!("there is {}", list_words(instead)),
            Self::UnknownCuda { known, .. } => format!("there is one for CUDA {}", list(known)),
            Self::Version(_) => "leave it out".to_owned(),
        })
    }
}
