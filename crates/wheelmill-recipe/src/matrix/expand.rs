//! The cells of a matrix.
//!
//! The order of steps: the product of the axes; `together` takes away; what is still open gets its
//! default; `exclude` takes away; `include` adds; equal cells become one; each is judged.

use std::collections::{HashMap, HashSet};

use wheelmill_model::{CudaArch, CudaVersion, PythonVersion, TorchVersion, Version};

use super::complete::{Completer, Filled};
use super::judge::judge;
use crate::written::Combination;
use crate::{ArchWish, MatrixError, MatrixSection, Planned, Recipe};

/// The axes as the command line gives them. An empty one is left to the project file or to its
/// default; one that is given replaces the project file's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axes {
    /// Versions of the package.
    pub versions: Vec<Version>,
    /// CUDA releases.
    pub cuda: Vec<CudaVersion>,
    /// PyTorch releases; ignored for packages that are not built against it.
    pub torch: Vec<TorchVersion>,
    /// Pythons.
    pub python: Vec<PythonVersion>,
    /// The architectures of every cell.
    pub architectures: Option<ArchWish>,
}

/// What the caller found out about the machine that builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor, as `uname -m` prints it: `x86_64`.
    pub arch: String,
    /// The GPUs.
    pub gpus: Vec<CudaArch>,
    /// The major version of its gcc, if it has one. What counts is the compiler of the build
    /// environment, so `expand` judges nothing by it; see `facts::gcc_fits`.
    pub gcc: Option<u16>,
    /// The Python that cells get when none is asked for and torch supports it.
    pub default_python: PythonVersion,
}

/// Makes the cells of a recipe and says of each why it is impossible, if it is.
///
/// Cells come in the order of the axes (version, CUDA, torch, Python), the added ones last.
///
/// # Errors
/// `MatrixError` when `native` finds no GPU, when no architectures are given for a CUDA release,
/// or when no cell is left.
pub fn expand(
    recipe: &Recipe,
    axes: &Axes,
    matrix: Option<&MatrixSection>,
    machine: &Machine,
) -> Result<Vec<Planned>, MatrixError> {
    let nothing = MatrixSection::default();
    let rules = Rules { recipe, axes, matrix: matrix.unwrap_or(&nothing) };
    let mut completer = Completer::new(recipe, machine, rules.wish());
    let values = rules.values();
    let product = values.product();
    let coupled: Vec<Combination> =
        product.iter().filter(|combination| rules.coupled(combination)).cloned().collect();
    let mut filled = Vec::with_capacity(coupled.len());
    for combination in &coupled {
        let cell = completer.fill(combination)?;
        if !rules.matrix.exclude.iter().any(|entry| excludes(entry, &cell)) {
            filled.push(cell);
        }
    }
    for entry in &rules.matrix.include {
        for combination in rules.included(entry, &values) {
            filled.push(completer.fill(&combination)?);
        }
    }
    if filled.is_empty() {
        return Err(rules.nothing_left(coupled.is_empty()));
    }
    let mut seen = HashSet::with_capacity(filled.len());
    let mut planned = Vec::with_capacity(filled.len());
    // Cells that differ in the package's version alone share their reasons.
    let mut judged = HashMap::new();
    for cell in filled {
        if seen.insert(cell.clone()) {
            let cell = completer.cell(cell)?;
            let impossible = judged
                .entry((cell.cuda, cell.torch, cell.python))
                .or_insert_with(|| judge(recipe, machine, &cell))
                .clone();
            planned.push(Planned { cell, impossible });
        }
    }
    Ok(planned)
}

/// What decides which combinations there are.
struct Rules<'a> {
    recipe: &'a Recipe,
    axes: &'a Axes,
    matrix: &'a MatrixSection,
}

/// The values of each axis; `None` stands for the default.
#[derive(Clone)]
struct Values {
    version: Vec<Option<Version>>,
    cuda: Vec<Option<CudaVersion>>,
    torch: Vec<Option<TorchVersion>>,
    python: Vec<Option<PythonVersion>>,
}

impl Values {
    fn product(&self) -> Vec<Combination> {
        let mut product = Vec::with_capacity(
            self.version.len() * self.cuda.len() * self.torch.len() * self.python.len(),
        );
        for version in &self.version {
            for &cuda in &self.cuda {
                for &torch in &self.torch {
                    for &python in &self.python {
                        product.push(Combination { version: version.clone(), cuda, torch, python });
                    }
                }
            }
        }
        product
    }
}

impl<'a> Rules<'a> {
    fn wish(&self) -> Wish<'a> {
        match (&self.axes.architectures, &self.matrix.architectures) {
            (Some(wish), _) => Wish::All(wish.clone()),
            (None, Some(table)) => Wish::PerCuda(table),
            (None, None) => Wish::All(ArchWish::default()),
        }
    }

    /// The command line's values of an axis, else the file's, else those that `together` names.
    fn values(&self) -> Values {
        let Self { axes, matrix, .. } = self;
        Values {
            version: axis(
                &axes.versions,
                &matrix.versions,
                self.named(|entry| entry.version.clone()),
            ),
            cuda: axis(&axes.cuda, &matrix.cuda, self.named(|entry| entry.cuda)),
            torch: if self.recipe.build.torch {
                axis(&axes.torch, &matrix.torch, self.named(|entry| entry.torch))
            } else {
                vec![None]
            },
            python: axis(&axes.python, &matrix.python, self.named(|entry| entry.python)),
        }
    }

    fn named<T>(&self, value: impl Fn(&Combination) -> Option<T>) -> Vec<T> {
        self.matrix.together.iter().filter_map(value).collect()
    }

    /// Whether `together` lets a combination through. Two kinds are coupled to nothing: a value
    /// that only the command line knows, and the one combination that the command line names
    /// outright.
    fn coupled(&self, combination: &Combination) -> bool {
        let together = &self.matrix.together;
        let agrees = |entry: &Combination| {
            agree(&entry.version, &combination.version)
                && agree(&entry.cuda, &combination.cuda)
                && agree(&entry.torch, &combination.torch)
                && agree(&entry.python, &combination.python)
        };
        if together.is_empty() || together.iter().any(agrees) {
            return true;
        }
        let axes = self.axes;
        let versions = self.named(|entry| entry.version.clone());
        let cudas = self.named(|entry| entry.cuda);
        let torches = self.named(|entry| entry.torch);
        let pythons = self.named(|entry| entry.python);
        let named_outright = single(&axes.versions, &versions)
            && single(&axes.cuda, &cudas)
            && single(&axes.torch, &torches)
            && single(&axes.python, &pythons);
        named_outright
            || stranger(&axes.versions, &combination.version, &versions)
            || stranger(&axes.cuda, &combination.cuda, &cudas)
            || stranger(&axes.torch, &combination.torch, &torches)
            || stranger(&axes.python, &combination.python, &pythons)
    }

    /// The combinations that an entry of `include` adds: those of its values and of each value of
    /// the axes that it does not name. One that the command line has narrowed away adds none.
    fn included(&self, entry: &Combination, values: &Values) -> Vec<Combination> {
        let axes = self.axes;
        let wanted = offered(&axes.versions, &entry.version)
            && offered(&axes.cuda, &entry.cuda)
            && (!self.recipe.build.torch || offered(&axes.torch, &entry.torch))
            && offered(&axes.python, &entry.python);
        if !wanted {
            return Vec::new();
        }
        let mut values = values.clone();
        fix(&mut values.version, entry.version.clone());
        fix(&mut values.cuda, entry.cuda);
        if self.recipe.build.torch {
            fix(&mut values.torch, entry.torch);
        }
        fix(&mut values.python, entry.python);
        values.product()
    }

    fn nothing_left(&self, by_together: bool) -> MatrixError {
        let (reason, hint) = if by_together {
            (
                "`together` in the project file has no entry for these values",
                "add an entry to `together`, or give one value for each axis that it couples",
            )
        } else {
            (
                "`exclude` in the project file leaves out every combination",
                "remove the entry of `exclude`, or give other values",
            )
        };
        MatrixError::Empty {
            package: self.recipe.name.clone(),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        }
    }
}

/// Where the architectures of a cell come from.
pub(super) enum Wish<'a> {
    All(ArchWish),
    PerCuda(&'a crate::PerCuda<ArchWish>),
}

/// The first list that has values, each value once; else the default alone.
fn axis<T: Clone + PartialEq>(typed: &[T], file: &[T], coupled: Vec<T>) -> Vec<Option<T>> {
    let lists = [typed, file, &coupled];
    let Some(list) = lists.into_iter().find(|list| !list.is_empty()) else { return vec![None] };
    let mut values: Vec<Option<T>> = Vec::with_capacity(list.len());
    for value in list {
        if !values.iter().flatten().any(|known| known == value) {
            values.push(Some(value.clone()));
        }
    }
    values
}

/// Whether a rule's value lets a combination's value through; an axis that either leaves open does
/// not part them.
fn agree<T: PartialEq>(rule: &Option<T>, value: &Option<T>) -> bool {
    match (rule, value) {
        (Some(rule), Some(value)) => rule == value,
        _ => true,
    }
}

/// Whether a value was typed, on an axis that `together` names, and stands in none of its entries.
fn stranger<T: PartialEq>(typed: &[T], value: &Option<T>, named: &[T]) -> bool {
    let Some(value) = value else { return false };
    !named.is_empty() && typed.contains(value) && !named.contains(value)
}

/// Whether an axis was typed with one value, as far as `together` names it.
fn single<T>(typed: &[T], named: &[T]) -> bool {
    named.is_empty() || typed.len() == 1
}

fn offered<T: PartialEq>(typed: &[T], value: &Option<T>) -> bool {
    value.as_ref().is_none_or(|value| typed.is_empty() || typed.contains(value))
}

fn fix<T>(values: &mut Vec<Option<T>>, value: Option<T>) {
    if value.is_some() {
        *values = vec![value];
    }
}

/// Whether an entry of `exclude` fits a cell: each value that it names is the cell's.
fn excludes(entry: &Combination, cell: &Filled) -> bool {
    let Combination { cuda, torch, python, version } = entry;
    let same_torch = |wanted: &TorchVersion| {
        cell.torch.is_some_and(|torch| {
            *wanted == torch || (wanted.patch.is_none() && *wanted == torch.series())
        })
    };
    cuda.is_none_or(|cuda| cuda == cell.cuda)
        && python.is_none_or(|python| python == cell.python)
        && torch.as_ref().is_none_or(same_torch)
        && version.as_ref().is_none_or(|version| Some(version) == cell.version.as_ref())
}
