//! Which GPUs a wheel's device code serves, container by container.

use serde::Serialize;
use wheelmill_model::CudaArch;

use super::generation::GpuGeneration;
use super::image::{Container, Image, ImageKind};
use crate::inspection::NativeModule;

/// How the GPUs of one compute capability are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// Some container offers them nothing: its kernels fail with "no kernel image is available".
    None,
    /// Every container serves them, at least one only through PTX that their driver compiles.
    Jit,
    /// Every container holds machine code for them.
    Native,
}

/// How one kind of GPU is served, by the whole wheel and by each module in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Coverage {
    /// The GPUs.
    pub gpu: GpuGeneration,
    /// The best that every module gives.
    pub support: Support,
    /// Each module with device code, by path, and what it gives.
    pub modules: Vec<(String, Support)>,
}

/// How each generation of GPUs is served by the modules that hold device code; empty when none
/// does. Modules for Jetson and DRIVE boards are listed only when some image was made for them.
#[must_use]
pub fn coverage(modules: &[NativeModule]) -> Vec<Coverage> {
    let with_code: Vec<&NativeModule> =
        modules.iter().filter(|module| module.executable_containers().next().is_some()).collect();
    if with_code.is_empty() {
        return Vec::new();
    }
    GpuGeneration::ALL
        .iter()
        .filter(|gpu| !gpu.embedded || with_code.iter().any(|module| names(module, gpu.arch)))
        .map(|gpu| {
            let modules: Vec<(String, Support)> = with_code
                .iter()
                .map(|module| (module.path.clone(), of_module(module, gpu)))
                .collect();
            let worst = modules.iter().map(|(_, support)| *support).min();
            Coverage { gpu: *gpu, support: worst.unwrap_or(Support::None), modules }
        })
        .collect()
}

fn names(module: &NativeModule, arch: CudaArch) -> bool {
    module
        .executable_containers()
        .flat_map(|container| &container.images)
        .any(|image| image.kind == ImageKind::Cubin && image.arch.number == arch.number)
}

fn of_module(module: &NativeModule, gpu: &GpuGeneration) -> Support {
    module
        .executable_containers()
        .map(|container| of_container(container, gpu))
        .min()
        .unwrap_or(Support::None)
}

fn of_container(container: &Container, gpu: &GpuGeneration) -> Support {
    let native = |image: &Image| {
        image.runs_natively_on(gpu.arch) && (!gpu.embedded || image.arch.number == gpu.arch.number)
    };
    if container.images.iter().any(native) {
        Support::Native
    } else if container.images.iter().any(|image| image.compiles_for(gpu.arch)) {
        Support::Jit
    } else {
        Support::None
    }
}
