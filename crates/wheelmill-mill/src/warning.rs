//! What may be wrong with a cell that is planned all the same.

use serde::Serialize;
use wheelmill_engine::{Base, Gpus};
use wheelmill_model::{CudaVersion, TorchVersion};
use wheelmill_recipe::{Cell, Recipe, facts};

use crate::build::gpus::OLD_NAME;
use crate::environment::{Toolchain, Toolkit};

/// Something that nothing can be said for sure about before it is tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanWarning {
    /// What it is about; stable.
    pub code: &'static str,
    /// One sentence, without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether a torch is newer than all that this program knows.
pub(crate) fn is_newer_than_known(torch: TorchVersion) -> bool {
    torch.series() > facts::newest_torch().series
}

/// All warnings on a cell that can be built.
pub(crate) fn warnings(
    cell: &Cell,
    recipe: &Recipe,
    base: &Base,
    toolchain: &Toolchain,
) -> Vec<PlanWarning> {
    let torch = cell.torch.filter(|torch| recipe.build.torch && is_newer_than_known(*torch));
    let torch = torch.map(|torch| PlanWarning {
        code: "torch-newer-than-known",
        message: format!(
            "torch {torch} is newer than all that this wheelmill knows of ({}): whether it exists, and for which CUDA and Python, is not known",
            facts::newest_torch().series,
        ),
        hint: Some(format!(
            "ask the index: `wheelmill plan {}{} --cuda {} --torch {torch} --python {} --check`",
            cell.package,
            cell.version.iter().map(|version| format!("=={version}")).collect::<String>(),
            cell.cuda,
            cell.python,
        )),
    });
    let named = match (base, &toolchain.toolkit) {
        // Over a toolkit of the index, that of the image does not count.
        (Base::Host { .. }, _) | (_, Toolkit::Index) => None,
        (base, Toolkit::Base(_)) => cuda_in_name(&base.to_string()),
    };
    let base = named.filter(|named| *named != cell.cuda).map(|named| PlanWarning {
        code: "base-of-another-cuda",
        message: format!(
            "the base `{base}` seems to hold CUDA {named}, and CUDA {} is wanted: the build will fail if it does",
            cell.cuda
        ),
        hint: Some(format!("use `--cuda {named}`, or an image of CUDA {}", cell.cuda)),
    });
    // An image has the whole toolkit, whatever its parts are called.
    let of_index = matches!(toolchain.toolkit, Toolkit::Index);
    let parts = recipe.build.cuda_libraries.iter().filter(|_| of_index);
    let unknown = parts.filter(|name| !facts::is_toolkit_part(name)).map(|name| PlanWarning {
        code: "cuda-library-unknown",
        message: format!("`{name}` in `cuda-libraries` is no part of the CUDA toolkit that this wheelmill knows: without it the build may miss a header or a library"),
        hint: facts::toolkit_part_like(name).map(|near| format!("did you mean `{near}`?")),
    });
    let old_name = recipe.environment(cell, 1).iter().any(|(name, _)| name == OLD_NAME);
    let old_name = old_name.then(|| PlanWarning {
        code: "nvidia-devices",
        message: format!(
            "no program reads `{OLD_NAME}`, which the recipe sets: it is taken as `{}`",
            Gpus::DEVICES
        ),
        hint: Some(format!("write `{}` in its `environment`", Gpus::DEVICES)),
    });
    torch.into_iter().chain(base).chain(unknown).chain(old_name).collect()
}

/// The CUDA release that an image's name tells: `nvidia/cuda:12.8.1-devel`, `…_cuda12_8`, `cu128`.
fn cuda_in_name(name: &str) -> Option<CudaVersion> {
    let name = name.to_ascii_lowercase();
    // The tag stands behind the name, and tells more.
    name.rmatch_indices("cu").find_map(|(place, _)| {
        let rest = &name[place + 2..];
        let rest = rest.strip_prefix("da").unwrap_or(rest);
        let rest = rest.strip_prefix([':', '-', '_']).unwrap_or(rest);
        let number =
            |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
        let major = number(rest);
        match rest[major.len()..].strip_prefix(['.', '_', '-']).map(number) {
            Some(minor) if !major.is_empty() && !minor.is_empty() => {
                format!("{major}.{minor}").parse().ok()
            }
            _ if major.len() == 3 => format!("cu{major}").parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_cuda() {
        let told = |name: &str| cuda_in_name(name).map(|cuda| cuda.to_string());
        for name in [
            "nvidia/cuda:12.8.1-devel-ubuntu22.04",
            "quay.io/manylinux_cuda/manylinux_2_28_x86_64_cuda12_8:latest",
            "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel",
            "docker.io/nvidia/cuda:12.8.0-cudnn-devel-rockylinux9",
            "./cuda128.tar",
            "registry:5000/builder:cu128",
        ] {
            assert_eq!(told(name).as_deref(), Some("12.8"), "{name}");
        }
        for name in ["debian:12", "me/focus:12.8", "nvidia/cuda", "nvidia/cuda:latest"] {
            assert_eq!(told(name), None, "{name}");
        }
    }
}
