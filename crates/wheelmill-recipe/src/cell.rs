//! A cell of the matrix, and why one is impossible.

use serde::Serialize;
use wheelmill_model::{ArchList, CudaVersion, PackageName, PythonVersion, TorchVersion, Version};

/// One combination that a wheel is built for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Cell {
    /// The package.
    pub package: PackageName,
    /// Its version; `None` means the newest, until the index has been asked.
    pub version: Option<Version>,
    /// The CUDA release.
    pub cuda: CudaVersion,
    /// The PyTorch release, for packages that are built against it.
    pub torch: Option<TorchVersion>,
    /// The Python.
    pub python: PythonVersion,
    /// The GPU architectures, all in one wheel.
    pub architectures: ArchList,
}

impl Cell {
    /// The name of the cell: `torchsort-0.1.10-cu130-torch2.11-cp311-sm90`.
    #[must_use]
    pub fn id(&self) -> String {
        let torch = self.torch.map(|torch| format!("-torch{torch}")).unwrap_or_default();
        format!(
            "{}-{}-{}{torch}-{}-{}",
            self.package,
            self.version_text(),
            self.cuda.label(),
            self.python.tag(),
            self.architectures.label()
        )
    }

    /// The version, or `latest`.
    pub(crate) fn version_text(&self) -> String {
        self.version.as_ref().map_or_else(|| "latest".to_owned(), ToString::to_string)
    }
}

/// A cell, and what stands against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The cell.
    pub cell: Cell,
    /// Why it cannot be built; empty when nothing is known against it.
    pub impossible: Vec<Impossible>,
}

/// One reason why a cell cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Impossible {
    /// A stable word for the reason: `torch-has-no-build-for-cuda`.
    pub code: &'static str,
    /// The reason in a sentence, without a full stop.
    pub message: String,
    /// What to change, when that is known.
    pub hint: Option<String>,
}
