//! One line on where a wheel's device code runs.

use std::collections::BTreeSet;

use wheelmill_model::{CudaArch, Feature};

use crate::device::{Container, ImageKind};
use crate::inspection::Inspection;

/// Such as `sm_80, sm_90 natively; newer GPUs through PTX of sm_90`. Architectures are named that
/// every container has an image of; that others run through them goes without saying.
pub(crate) fn summary(inspection: &Inspection) -> String {
    let containers: Vec<&Container> =
        inspection.modules.iter().flat_map(|module| module.executable_containers()).collect();
    if containers.is_empty() {
        let relocatable = inspection
            .modules
            .iter()
            .flat_map(|module| &module.device_code)
            .any(|container| container.relocatable);
        return if relocatable { "no linked GPU code" } else { "no GPU code" }.to_owned();
    }
    let everywhere = |kind: ImageKind| -> BTreeSet<CudaArch> {
        let archs_of = |container: &&Container| -> BTreeSet<CudaArch> {
            let images = container.images.iter().filter(|image| image.kind == kind);
            images.map(|image| image.arch).collect()
        };
        let sets = containers.iter().map(archs_of);
        sets.reduce(|one, other| &one & &other).unwrap_or_default()
    };
    let native: Vec<String> =
        everywhere(ImageKind::Cubin).iter().map(ToString::to_string).collect();
    let native = match native[..] {
        [] => "no GPU natively in every part".to_owned(),
        _ => format!("{} natively", native.join(", ")),
    };
    let ptx = everywhere(ImageKind::Ptx);
    let newest = ptx.iter().rev().find(|arch| arch.feature == Feature::Base);
    match newest {
        Some(arch) => format!("{native}; newer GPUs through PTX of {arch}"),
        None => format!("{native}; no PTX for newer GPUs"),
    }
}
