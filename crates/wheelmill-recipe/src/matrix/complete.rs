//! Defaults of the axes: the newest that fits everything that is given.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wheelmill_model::{ArchList, CudaVersion, PythonVersion, TorchVersion, Version};

use super::expand::{Machine, Wish};
use super::judge::judge;
use super::wished;
use crate::facts::{
    cuda_releases, newest_cuda, newest_torch, torch_builds, torch_series, torch_with_builds,
};
use crate::written::Combination;
use crate::{Cell, MatrixError, Recipe};

/// A combination without open axes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Filled {
    pub(super) version: Option<Version>,
    pub(super) cuda: CudaVersion,
    pub(super) torch: Option<TorchVersion>,
    pub(super) python: PythonVersion,
}

type Given = (Option<CudaVersion>, Option<TorchVersion>, Option<PythonVersion>);
type Chosen = (CudaVersion, Option<TorchVersion>, PythonVersion);

/// Fills open axes, and remembers what it found: many cells ask the same.
pub(super) struct Completer<'a> {
    recipe: &'a Recipe,
    machine: &'a Machine,
    wish: Wish<'a>,
    chosen: HashMap<Given, Chosen>,
    architectures: BTreeMap<CudaVersion, ArchList>,
}

impl<'a> Completer<'a> {
    pub(super) fn new(recipe: &'a Recipe, machine: &'a Machine, wish: Wish<'a>) -> Self {
        Self { recipe, machine, wish, chosen: HashMap::new(), architectures: BTreeMap::new() }
    }

    /// Gives every open axis its default.
    pub(super) fn fill(&mut self, combination: &Combination) -> Result<Filled, MatrixError> {
        let given = (combination.cuda, combination.torch, combination.python);
        let (cuda, torch, python) = match self.chosen.get(&given) {
            Some(chosen) => *chosen,
            None => {
                let chosen = self.choose(given)?;
                self.chosen.insert(given, chosen);
                chosen
            }
        };
        Ok(Filled { version: combination.version.clone(), cuda, torch, python })
    }

    /// The cell of a filled combination.
    pub(super) fn cell(&mut self, filled: Filled) -> Result<Cell, MatrixError> {
        let Filled { version, cuda, torch, python } = filled;
        Ok(Cell {
            package: self.recipe.name.clone(),
            version,
            cuda,
            torch,
            python,
            architectures: self.architectures(cuda)?,
        })
    }

    fn architectures(&mut self, cuda: CudaVersion) -> Result<ArchList, MatrixError> {
        if let Some(list) = self.architectures.get(&cuda) {
            return Ok(list.clone());
        }
        let wish = match &self.wish {
            Wish::All(wish) => wish,
            Wish::PerCuda(table) => table.get(cuda).ok_or(MatrixError::NoArchitectures { cuda })?,
        };
        let list = wished::architectures(wish, cuda, self.recipe, self.machine)?;
        self.architectures.insert(cuda, list.clone());
        Ok(list)
    }

    /// The first combination, newest first, that has all that is given and nothing against it. The
    /// machine's Python counts more than a newer torch: it is what the user runs.
    fn choose(&mut self, given: Given) -> Result<Chosen, MatrixError> {
        let torches = self.torches(given.1);
        for python in self.pythons(given.2) {
            for &torch in &torches {
                for cuda in candidates(given.0, torch) {
                    if self.fits(cuda, torch, python)? {
                        return Ok((cuda, torch, python));
                    }
                }
            }
        }
        Ok(self.closest(given))
    }

    fn fits(
        &mut self,
        cuda: CudaVersion,
        torch: Option<TorchVersion>,
        python: PythonVersion,
    ) -> Result<bool, MatrixError> {
        match self.cell(Filled { version: None, cuda, torch, python }) {
            Ok(cell) => Ok(judge(self.recipe, self.machine, &cell).is_empty()),
            Err(MatrixError::NoArchitectures { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What to show when nothing fits: the newest of everything open.
    fn closest(&self, (cuda, torch, python): Given) -> Chosen {
        let python = python.unwrap_or(self.machine.default_python);
        if !self.recipe.build.torch {
            return (cuda.unwrap_or(newest_cuda().version), None, python);
        }
        let torch = torch
            .or_else(|| cuda.and_then(torch_with_builds))
            .unwrap_or_else(|| newest_torch().series);
        let cuda = cuda
            .or_else(|| candidates(None, Some(torch)).into_iter().next())
            .unwrap_or(newest_cuda().version);
        (cuda, Some(torch), python)
    }

    fn pythons(&self, given: Option<PythonVersion>) -> Vec<PythonVersion> {
        if let Some(given) = given {
            return vec![given];
        }
        let default = self.machine.default_python;
        let known: BTreeSet<PythonVersion> =
            torch_series().iter().flat_map(|builds| builds.pythons).copied().collect();
        let others = known.into_iter().rev().filter(|python| *python != default);
        [default].into_iter().chain(others).collect()
    }

    fn torches(&self, given: Option<TorchVersion>) -> Vec<Option<TorchVersion>> {
        match given {
            _ if !self.recipe.build.torch => vec![None],
            Some(given) => vec![Some(given)],
            None => torch_series().iter().rev().map(|builds| Some(builds.series)).collect(),
        }
    }
}

/// CUDA releases to try, newest first.
fn candidates(given: Option<CudaVersion>, torch: Option<TorchVersion>) -> Vec<CudaVersion> {
    match (given, torch) {
        (Some(given), _) => vec![given],
        (None, Some(torch)) => {
            // A torch that is newer than the table is likeliest to go on as the newest did.
            let builds = torch_builds(torch).unwrap_or_else(newest_torch);
            builds.cuda().rev().collect()
        }
        (None, None) => cuda_releases().iter().rev().map(|release| release.version).collect(),
    }
}
