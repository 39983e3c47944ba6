//! Why a cell is impossible.

use wheelmill_model::{CudaArch, CudaVersion, Feature, TorchVersion, Version, VersionSpecifiers};

use super::expand::Machine;
use super::wished::allowed;
use crate::facts::{
    CudaRelease, cuda_release, cuda_releases, cuda_with_builds, newest_torch, release_that_added,
    torch_builds, torch_series, torch_with_builds,
};
use crate::suggest::list;
use crate::{Cell, Impossible, Recipe};

/// Every reason against a cell.
pub(super) fn judge(recipe: &Recipe, machine: &Machine, cell: &Cell) -> Vec<Impossible> {
    let mut reasons = releases(recipe, cell);
    machines(recipe, machine, &mut reasons);
    reasons
}

/// The oldest CUDA release, from one on, with which a cell that is otherwise the same is possible.
#[must_use]
pub fn possible_cuda(recipe: &Recipe, cell: &Cell, from: CudaVersion) -> Option<CudaVersion> {
    let newer = cuda_releases().iter().map(|release| release.version).filter(|cuda| *cuda >= from);
    newer.map(|cuda| Cell { cuda, ..cell.clone() }).find_map(|cell| {
        let possible = releases(recipe, &cell).is_empty();
        possible.then_some(cell.cuda)
    })
}

/// Every reason against the releases and architectures of a cell.
fn releases(recipe: &Recipe, cell: &Cell) -> Vec<Impossible> {
    let mut reasons = Vec::new();
    cuda(cell.cuda, &mut reasons);
    if let Some(release) = cuda_release(cell.cuda) {
        architectures(release, cell, &mut reasons);
    }
    if let Some(torch) = cell.torch {
        self::torch(torch, cell, &mut reasons);
    }
    recipe_limits(recipe, cell, &mut reasons);
    recipe_architectures(recipe, cell, &mut reasons);
    reasons
}

fn cuda(cuda: CudaVersion, reasons: &mut Vec<Impossible>) {
    if cuda_release(cuda).is_some() {
        return;
    }
    let older = cuda_releases().iter().rev().find(|release| release.version < cuda);
    let newer = cuda_releases().iter().find(|release| release.version > cuda);
    let neighbours: Vec<CudaVersion> =
        [older, newer].into_iter().flatten().map(|release| release.version).collect();
    reasons.push(Impossible {
        code: "cuda-unknown",
        message: format!("there is no CUDA {cuda} that wheelmill knows"),
        hint: Some(format!("known nearby: CUDA {}", list(&neighbours))),
    });
}

fn architectures(release: &CudaRelease, cell: &Cell, reasons: &mut Vec<Impossible>) {
    for target in cell.architectures.iter().filter(|target| !release.knows(target.arch)) {
        let arch = target.arch;
        let oldest = release.architectures[0];
        let cuda = release.version;
        if arch < oldest {
            let last = last_with(arch);
            reasons.push(Impossible {
                code: "arch-dropped-by-cuda",
                message: format!("CUDA {cuda} dropped {arch}; its oldest is {oldest}"),
                hint: Some(match last {
                    Some(last) => format!("CUDA {last} is the last that makes code for it"),
                    None => format!("take {oldest} or newer"),
                }),
            });
        } else {
            let first = release_that_added(arch).map(|release| release.version);
            let hint = match (first, last_with(arch)) {
                (Some(first), _) if first > cuda => Some(format!("{arch} came with CUDA {first}")),
                // 10.1 was renamed, and stands between chips that are still known.
                (Some(_), Some(last)) => Some(format!("CUDA {last} is the last that knows it")),
                _ => newest_of(release).map(|newest| format!("its newest is {newest}")),
            };
            reasons.push(Impossible {
                code: "arch-unknown-to-cuda",
                message: format!("CUDA {cuda} makes no code for {arch}"),
                hint,
            });
        }
    }
}

/// The newest architecture that a release makes code for, without a letter.
fn newest_of(release: &CudaRelease) -> Option<CudaArch> {
    release.architectures.iter().rev().find(|arch| arch.feature == Feature::Base).copied()
}

/// The last release that makes code for an architecture.
fn last_with(arch: CudaArch) -> Option<CudaVersion> {
    cuda_releases().iter().rev().find(|release| release.knows(arch)).map(|last| last.version)
}

fn torch(torch: TorchVersion, cell: &Cell, reasons: &mut Vec<Impossible>) {
    let newest = newest_torch().series;
    // The table ages: nothing can be said against a release that is newer than all of it.
    if torch.series() > newest {
        return;
    }
    let Some(builds) = torch_builds(torch) else {
        let nearest = torch_series().iter().rev().find(|builds| builds.series < torch.series());
        let nearest = nearest.or_else(|| torch_series().first()).map(|builds| builds.series);
        reasons.push(Impossible {
            code: "torch-unknown",
            message: format!("there is no torch {torch} that wheelmill knows"),
            hint: nearest.map(|nearest| format!("known nearby: torch {nearest}")),
        });
        return;
    };
    let cuda = cell.cuda;
    let known: Vec<CudaVersion> = cuda_with_builds(torch).collect();
    if let Some(release) = cuda_release(cuda)
        && !release.has_torch(torch)
    {
        let other = match torch_with_builds(cuda) {
            Some(newest) => format!("; the newest for CUDA {cuda} is torch {newest}"),
            None => format!("; no torch has one for CUDA {cuda}"),
        };
        reasons.push(Impossible {
            code: "torch-has-no-build-for-cuda",
            message: format!("torch {torch} has no official build for CUDA {cuda}"),
            hint: Some(format!("torch {torch} has builds for CUDA {}{other}", list(&known))),
        });
    }
    let python = cell.python;
    let (oldest, newest) = (builds.oldest_python(), builds.newest_python());
    if python > newest {
        reasons.push(Impossible {
            code: "python-too-new",
            message: format!("torch {torch} has no build for Python {python}"),
            hint: Some(format!("its newest is Python {newest}")),
        });
    } else if !builds.pythons.contains(&python) {
        reasons.push(Impossible {
            code: "python-too-old",
            message: format!("torch {torch} has no build for Python {python}"),
            hint: Some(format!("its oldest is Python {oldest}")),
        });
    }
}

fn recipe_limits(recipe: &Recipe, cell: &Cell, reasons: &mut Vec<Impossible>) {
    let limits = &recipe.limits;
    // A limit is that of one version; another may well have another.
    let read_from = recipe.read_from.as_ref();
    let written = read_from.map(|version| format!(" (written for {version})")).unwrap_or_default();
    let mut check = |what: &str, allowed: Option<&VersionSpecifiers>, numbers: &[u16]| {
        let version = Version::new(numbers.iter().copied().map(u64::from));
        if let Some(allowed) = allowed
            && !allowed.contains(&version)
        {
            reasons.push(Impossible {
                code: "recipe-limits",
                message: format!("{} does not build with {what} {version}", recipe.name),
                hint: Some(format!(
                    "its recipe{written} allows {what} {allowed}; \
                     `[recipes.{}.limits]` in a project file changes that",
                    recipe.name
                )),
            });
        }
    };
    check("CUDA", limits.cuda.as_ref(), &[cell.cuda.major, cell.cuda.minor]);
    check("Python", limits.python.as_ref(), &[cell.python.major, cell.python.minor]);
    if let Some(torch) = cell.torch {
        let mut numbers = vec![torch.major, torch.minor];
        numbers.extend(torch.patch);
        check("torch", limits.torch.as_ref(), &numbers);
    }
}

fn recipe_architectures(recipe: &Recipe, cell: &Cell, reasons: &mut Vec<Impossible>) {
    let limits = &recipe.limits;
    for target in cell.architectures.iter().filter(|target| !allowed(limits, target.arch)) {
        let hint = match (&limits.architectures, limits.minimum_architecture) {
            (Some(known), _) => format!("its sources know {}", list(known)),
            (None, Some(minimum)) => format!("its oldest is {minimum}"),
            (None, None) => continue,
        };
        reasons.push(Impossible {
            code: "arch-not-supported-by-recipe",
            message: format!("{} does not support {}", recipe.name, target.arch),
            hint: Some(hint),
        });
    }
}

fn machines(recipe: &Recipe, machine: &Machine, reasons: &mut Vec<Impossible>) {
    if let Some(machines) = &recipe.limits.machines
        && !machines.contains(&machine.arch)
    {
        reasons.push(Impossible {
            code: "machine-not-supported",
            message: format!("{} does not build on {}", recipe.name, machine.arch),
            hint: Some(format!("its recipe allows {}", list(machines))),
        });
    }
}
