//! Why a wheel was not finished.

use std::io;

use camino::Utf8PathBuf;

use super::{LabelError, RequirementConflict};
use crate::error::WheelError;
use crate::finding::Finding;
use crate::metadata::RequirementError;

/// A wheel that could not be finished. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// It cannot be read as a wheel.
    #[error("the wheel cannot be read")]
    Wheel(#[from] WheelError),
    /// It is damaged, or unsafe: what would be written is not what was built.
    #[error("`{file}` is damaged: {}", findings.iter().map(|finding| finding.code).collect::<Vec<_>>().join(", "))]
    Damaged {
        /// The wheel.
        file: Utf8PathBuf,
        /// What is wrong with it; errors only.
        findings: Vec<Finding>,
    },
    /// The label cannot be part of a version.
    #[error("the wheel cannot be labelled")]
    Label(#[from] LabelError),
    /// What METADATA asks for leaves out what the wheel was built with.
    #[error("the wheel cannot be pinned")]
    Pin(#[from] RequirementConflict),
    /// A requirement that is to be added cannot be read.
    #[error("the requirement cannot be added")]
    Requirement(#[from] RequirementError),
    /// The new file could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The new file, or the folder for it.
        path: Utf8PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}
