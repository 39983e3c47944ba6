//! Pinned requirements.

use serde::{Deserialize, Serialize};

/// Pinned requirements with their hashes, as uv writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Requirements {
    /// The toolchain alone: shared by all packages of one CUDA, torch and Python.
    pub(crate) toolchain: String,
    /// The toolchain and what the package needs beside it.
    pub(crate) all: String,
}
