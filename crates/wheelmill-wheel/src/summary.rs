//! One line on where a wheel's device code runs.

use wheelmill_model::{CudaArch, Feature};

use crate::device::{Container, Coverage, ImageKind, Support};
use crate::driver::DriverFloor;
use crate::inspection::{Inspection, NativeModule};

/// Such as `sm_80, sm_86, sm_89, sm_90 natively; newer GPUs through PTX; needs driver 525.60.13 or
/// newer`.
pub(crate) fn summary(
    inspection: &Inspection,
    coverage: &[Coverage],
    drivers: &[DriverFloor],
) -> String {
    let mut parts = vec![gpus(inspection, coverage)];
    match drivers {
        [] => {}
        [DriverFloor { version, for_ptx: Some(for_ptx), .. }] => {
            parts.push(format!("needs driver {version} or newer, {for_ptx} for PTX"));
        }
        [DriverFloor { version, .. }] => parts.push(format!("needs driver {version} or newer")),
        several => {
            let of = |floor: &DriverFloor| match floor.cuda {
                Some(major) => format!("{} for CUDA {major}", floor.version),
                None => format!("{} for the rest", floor.version),
            };
            let list: Vec<String> = several.iter().map(of).collect();
            parts.push(format!("needs driver {} or newer", list.join(", ")));
        }
    }
    parts.join("; ")
}

fn gpus(inspection: &Inspection, coverage: &[Coverage]) -> String {
    let modules = &inspection.modules;
    if coverage.is_empty() {
        match inspection.device_files.len() {
            0 => {}
            1 => return "GPU code in a file of its own".to_owned(),
            count => return format!("GPU code in {count} files of its own"),
        }
        let mut containers = modules.iter().flat_map(|module| &module.device_code);
        let unlinked = containers.any(|container| container.relocatable);
        return if unlinked { "no linked GPU code" } else { "no GPU code" }.to_owned();
    }
    let newer = ptx_for_newer(modules);
    let newest_native =
        coverage.iter().rev().find(|row| row.support == Support::Native).map(|row| row.gpu.arch);
    let mut parts = Vec::new();
    for (support, words) in [
        (Support::Native, "natively"),
        (Support::Jit, "through PTX"),
        (Support::Partial, "in part"),
    ] {
        // What runs through PTX beyond the newest native one is said by the last part.
        let said_later = |arch: CudaArch| {
            support == Support::Jit && newer == Newer::All && newest_native < Some(arch)
        };
        let runs = listed(coverage, |row| row.support == support && !said_later(row.gpu.arch));
        match runs.is_empty() {
            false => parts.push(format!("{} {words}", runs.join(", "))),
            true if support == Support::Native => parts.push("no GPU natively".to_owned()),
            true => {}
        }
    }
    parts.push(newer.words().to_owned());
    parts.join("; ")
}

/// Every generation that belongs, by its name: a range would promise those that lie within it and
/// were left out, such as boards that need code of their own.
fn listed(coverage: &[Coverage], belongs: impl Fn(&Coverage) -> bool) -> Vec<String> {
    coverage.iter().filter(|row| belongs(row)).map(|row| row.gpu.arch.to_string()).collect()
}

/// Whether GPUs that are not made yet are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newer {
    All,
    Part,
    None,
}

impl Newer {
    const fn words(self) -> &'static str {
        match self {
            Self::All => "newer GPUs through PTX",
            Self::Part => "PTX for newer GPUs in part",
            Self::None => "no PTX for newer GPUs",
        }
    }
}

fn ptx_for_newer(modules: &[NativeModule]) -> Newer {
    let mut general = modules
        .iter()
        .flat_map(NativeModule::executable_containers)
        .filter(|container| !container.is_specialised())
        .map(has_lasting_ptx)
        .peekable();
    if general.peek().is_none() {
        return Newer::None;
    }
    let answers: Vec<bool> = general.collect();
    match (answers.contains(&true), answers.contains(&false)) {
        (true, false) => Newer::All,
        (true, true) => Newer::Part,
        (false, _) => Newer::None,
    }
}

fn has_lasting_ptx(container: &Container) -> bool {
    container
        .images
        .iter()
        .any(|image| image.kind == ImageKind::Ptx && image.arch.feature == Feature::Base)
}
