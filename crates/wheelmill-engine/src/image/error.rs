//! What goes wrong with an image, before the image's name is put to it.

use camino::Utf8Path;

use super::unpack::UnpackError;
use crate::EngineError;

/// Told how many bytes of something are done.
pub(super) type Progress<'a> = &'a mut dyn FnMut(u64);

/// A failure that does not know yet which image it is about.
#[derive(Debug)]
pub(super) enum ImageError {
    /// For a person: why, and what is below it.
    Because(String, Option<Box<dyn std::error::Error + Send + Sync>>),
    /// As above, and the registry could not be asked.
    Unreachable(String, Option<Box<dyn std::error::Error + Send + Sync>>),
    /// It is not about the image.
    Engine(EngineError),
    Cancelled,
}

impl ImageError {
    pub(super) fn reason(reason: impl Into<String>) -> Self {
        Self::Because(reason.into(), None)
    }

    pub(super) fn caused(
        reason: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Because(reason.into(), Some(Box::new(source)))
    }

    /// A file of the store that could not be used.
    pub(super) fn files(
        action: &'static str,
        path: &Utf8Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Engine(EngineError::Files { action, path, source })
    }

    /// With the image's name.
    pub(super) fn of(self, image: &impl ToString) -> EngineError {
        match self {
            Self::Because(reason, source) => {
                EngineError::Image { image: image.to_string(), reason, source }
            }
            Self::Unreachable(reason, source) => {
                EngineError::Unreachable { image: image.to_string(), reason, source }
            }
            Self::Engine(error) => error,
            Self::Cancelled => EngineError::Cancelled,
        }
    }
}

impl From<String> for ImageError {
    fn from(reason: String) -> Self {
        Self::reason(reason)
    }
}

impl From<EngineError> for ImageError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<UnpackError> for ImageError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Cancelled => Self::Cancelled,
            other => Self::caused("a layer could not be unpacked", other),
        }
    }
}
