//! Why a cell whose releases nobody named has no toolkit: the default was the newest that fits what
//! was named, and that is what a person must hear of.

use wheelmill_model::{CudaVersion, PythonVersion, TorchVersion};
use wheelmill_recipe::{Axes, Cell, Impossible, MatrixSection, facts};

use crate::environment::{FIRST_ON_PYPI, image_with};

/// Which axes were left to their defaults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    cuda: bool,
    torch: bool,
}

impl Open {
    pub(crate) fn of(axes: &Axes, matrix: Option<&MatrixSection>) -> Self {
        let coupled = |named: fn(&wheelmill_recipe::Combination) -> bool| {
            let entries = matrix.map(|matrix| matrix.together.iter().chain(&matrix.include));
            entries.into_iter().flatten().any(named)
        };
        Self {
            cuda: axes.cuda.is_empty()
                && matrix.is_none_or(|matrix| matrix.cuda.is_empty())
                && !coupled(|entry| entry.cuda.is_some()),
            torch: axes.torch.is_empty()
                && matrix.is_none_or(|matrix| matrix.torch.is_empty())
                && !coupled(|entry| entry.torch.is_some()),
        }
    }

    /// The reason as it is for what the user named: their Python or their torch, where it forced a
    /// CUDA release that has no toolkit here.
    pub(crate) fn explain(self, reason: Impossible, cell: &Cell) -> Impossible {
        let Some(torch) = cell.torch.filter(|_| self.cuda && reason.code == "no-toolkit") else {
            return reason;
        };
        let Cell { cuda, python, .. } = cell;
        let image = image_with(*cuda);
        if self.torch && is_newest_for(torch, *python) {
            let message = format!(
                "the newest torch with a build for Python {python} is {torch}, whose newest CUDA release is {cuda}, and there is no compiler of that on the package index or this machine"
            );
            let newer = with_toolkit().map(facts::TorchBuilds::oldest_python).min();
            let hint = match newer.filter(|newer| newer > python) {
                Some(newer) => format!("take Python {newer} or newer, or {image}"),
                None => format!("take {image}"),
            };
            return Impossible { code: "python-too-old", message, hint: Some(hint) };
        }
        let message = format!(
            "the newest CUDA release that torch {torch} has a build for is {cuda}, and there is no compiler of that on the package index or this machine"
        );
        let newer = with_toolkit().map(|builds| builds.series).min().filter(|newer| *newer > torch);
        let hint = match newer {
            Some(newer) => format!("take torch {newer} or newer, or {image}"),
            None => format!("take {image}"),
        };
        Impossible { message, hint: Some(hint), ..reason }
    }
}

/// Whether no newer torch is built for a Python.
fn is_newest_for(torch: TorchVersion, python: PythonVersion) -> bool {
    let newest = facts::torch_series().iter().rev().find(|builds| builds.pythons.contains(&python));
    newest.is_some_and(|builds| builds.series == torch.series())
}

/// The torches that are built for a CUDA release whose compiler is on the package index.
fn with_toolkit() -> impl Iterator<Item = &'static facts::TorchBuilds> {
    let first = CudaVersion::new(FIRST_ON_PYPI, 0);
    facts::torch_series().iter().filter(move |builds| builds.cuda().any(|cuda| cuda >= first))
}
