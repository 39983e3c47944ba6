//! From a wish for architectures to the list for one CUDA release.

use std::collections::BTreeMap;

use wheelmill_model::{ArchList, ArchTarget, CudaArch, CudaVersion, Feature};

use super::expand::Machine;
use crate::facts::{CudaRelease, cuda_release, cuda_releases};
use crate::recipe::Limits;
use crate::{ArchWish, MatrixError, Recipe};

/// Chips that sit in Jetson and Drive boards, and so never beside an x86-64 processor.
const EMBEDDED: [u16; 7] = [32, 53, 62, 72, 87, 101, 110];

/// The list that a wish means.
pub(super) fn architectures(
    wish: &ArchWish,
    cuda: CudaVersion,
    recipe: &Recipe,
    machine: &Machine,
) -> Result<ArchList, MatrixError> {
    match wish {
        ArchWish::List(list) => Ok(list.clone()),
        ArchWish::Native { ptx } => {
            list(machine.gpus.iter().copied(), *ptx).ok_or(MatrixError::NoGpu)
        }
        ArchWish::AllMajor { ptx } => {
            let release = nearest(cuda);
            let supported = supported(release, &recipe.limits, &machine.arch);
            // With nothing in common, what CUDA has shows what the recipe refuses.
            Ok(list(majors(supported), *ptx)
                .or_else(|| list(majors(release.architectures.iter().copied()), *ptx))
                .expect("every CUDA release makes code for some architecture"))
        }
    }
}

/// The release, or the one next to it in the table: a list is needed to show even a cell of an
/// unknown release.
fn nearest(cuda: CudaVersion) -> &'static CudaRelease {
    cuda_release(cuda).unwrap_or_else(|| {
        let older = cuda_releases().iter().rev().find(|release| release.version < cuda);
        older.or_else(|| cuda_releases().first()).expect("the table of CUDA releases is not empty")
    })
}

fn supported<'a>(
    release: &'static CudaRelease,
    limits: &'a Limits,
    machine: &'a str,
) -> impl Iterator<Item = CudaArch> + 'a {
    release.architectures.iter().copied().filter(move |arch| {
        allowed(limits, *arch) && (machine != "x86_64" || !EMBEDDED.contains(&arch.number))
    })
}

/// Whether a recipe's limits let an architecture through.
pub(super) fn allowed(limits: &Limits, arch: CudaArch) -> bool {
    limits.architectures.as_ref().is_none_or(|known| known.contains(&arch))
        && limits.minimum_architecture.is_none_or(|minimum| arch.number >= minimum.number)
}

/// The oldest architecture of each generation; one with a letter only where there is none without.
fn majors(supported: impl Iterator<Item = CudaArch>) -> impl Iterator<Item = CudaArch> {
    let mut oldest: BTreeMap<u16, CudaArch> = BTreeMap::new();
    for arch in supported {
        let rank = |arch: CudaArch| (arch.feature != Feature::Base, arch);
        let held = oldest.entry(arch.major()).or_insert(arch);
        if rank(arch) < rank(*held) {
            *held = arch;
        }
    }
    oldest.into_values()
}

fn list(archs: impl Iterator<Item = CudaArch>, ptx: bool) -> Option<ArchList> {
    let archs: Vec<CudaArch> = archs.collect();
    let newest = archs.iter().max().copied();
    ArchList::new(
        archs.into_iter().map(|arch| ArchTarget { arch, ptx: ptx && Some(arch) == newest }),
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_major(cuda: &str, limits: Limits, arch: &str) -> String {
        let mut recipe = Recipe::default_for("x".parse().unwrap());
        recipe.limits = limits;
        let machine = Machine {
            arch: arch.to_owned(),
            gpus: Vec::new(),
            gcc: None,
            default_python: "3.11".parse().unwrap(),
        };
        let wish = ArchWish::AllMajor { ptx: false };
        architectures(&wish, cuda.parse().unwrap(), &recipe, &machine).unwrap().to_string()
    }

    #[test]
    fn all_major_is_the_oldest_of_each_generation() {
        let free = Limits::default;
        assert_eq!(all_major("9.0", free(), "x86_64"), "3.0;5.0;6.0;7.0");
        assert_eq!(all_major("12.8", free(), "x86_64"), "5.0;6.0;7.0;8.0;9.0;10.0;12.0");
        assert_eq!(all_major("13.0", free(), "x86_64"), "7.5;8.0;9.0;10.0;12.0");
        assert_eq!(all_major("13.0", free(), "aarch64"), "7.5;8.0;9.0;10.0;11.0;12.0");
    }

    #[test]
    fn a_recipe_narrows_it() {
        let limits = Limits {
            architectures: Some(vec!["9.0a".parse().unwrap(), "10.0".parse().unwrap()]),
            ..Limits::default()
        };
        assert_eq!(all_major("13.0", limits, "x86_64"), "9.0a;10.0");
        let limits = Limits { minimum_architecture: Some(CudaArch::new(80)), ..Limits::default() };
        assert_eq!(all_major("12.6", limits, "x86_64"), "8.0;9.0");
    }
}
