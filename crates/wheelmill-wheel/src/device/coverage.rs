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
    /// No container offers them anything: every kernel fails with "no kernel image is available".
    None,
    /// Some containers serve them and some do not: it depends on the kernels that are used.
    Partial,
    /// Every container serves them, at least one only through PTX that their driver compiles.
    Jit,
    /// Every container holds machine code for them.
    Native,
}

/// How the containers of a module, or of a whole wheel, serve the GPUs of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Containers {
    /// Those with machine code for them.
    pub native: usize,
    /// Those with no more than PTX that can be compiled for them.
    pub jit: usize,
    /// Those with nothing for them.
    pub none: usize,
    /// Those with nothing for them that were made for other chips on purpose
    /// ([`Container::is_specialised`]), and are not held against the wheel.
    pub specialised: usize,
}

impl Containers {
    /// What they amount to.
    #[must_use]
    pub const fn support(&self) -> Support {
        match self {
            Self { native: 0, jit: 0, .. } => Support::None,
            Self { none: 1.., .. } => Support::Partial,
            Self { jit: 1.., .. } => Support::Jit,
            Self { .. } => Support::Native,
        }
    }

    fn add(mut self, container: &Container, gpu: &GpuGeneration) -> Self {
        let native = |image: &Image| {
            let exactly = image.arch.number == gpu.arch.number;
            image.runs_natively_on(gpu.arch) && (!gpu.embedded || exactly)
        };
        if container.images.iter().any(native) {
            self.native += 1;
        } else if container.images.iter().any(|image| image.compiles_for(gpu.arch)) {
            self.jit += 1;
        } else if container.is_specialised() {
            self.specialised += 1;
        } else {
            self.none += 1;
        }
        self
    }
}

/// How one module serves the GPUs of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModuleCoverage {
    /// Its path within the wheel.
    pub module: String,
    /// What its containers amount to.
    pub support: Support,
    /// Its containers.
    pub containers: Containers,
}

/// How one kind of GPU is served, by the whole wheel and by each module in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Coverage {
    /// The GPUs.
    pub gpu: GpuGeneration,
    /// What all modules together amount to.
    pub support: Support,
    /// Each module with device code.
    pub modules: Vec<ModuleCoverage>,
}

/// How each generation of GPUs is served by the modules that hold device code; empty when none
/// does. Jetson and DRIVE boards are listed only when some image was made for them.
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
        .map(|gpu| of_gpu(&with_code, gpu))
        .collect()
}

/// Whether a module holds machine code for exactly this.
fn names(module: &NativeModule, arch: CudaArch) -> bool {
    module
        .executable_containers()
        .flat_map(|container| &container.images)
        .any(|image| image.kind == ImageKind::Cubin && image.arch.number == arch.number)
}

fn of_gpu(modules: &[&NativeModule], gpu: &GpuGeneration) -> Coverage {
    let modules: Vec<ModuleCoverage> = modules
        .iter()
        .map(|module| {
            let containers = module
                .executable_containers()
                .fold(Containers::default(), |sum, container| sum.add(container, gpu));
            let support = containers.support();
            ModuleCoverage { module: module.path.clone(), support, containers }
        })
        .collect();
    let worst = modules.iter().map(|module| module.support).min().unwrap_or(Support::None);
    let best = modules.iter().map(|module| module.support).max().unwrap_or(Support::None);
    let support = match (worst, best) {
        (Support::None, Support::None) => Support::None,
        (Support::None, _) => Support::Partial,
        (worst, _) => worst,
    };
    Coverage { gpu: *gpu, support, modules }
}
