//! Whether a wheel goes with the CUDA and the torch that it is wanted for.

use wheelmill_model::{CudaVersion, TorchVersion, Version};

use crate::driver::runtime;
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::label::Label;
use crate::rules;
use crate::verdict::Wishes;

/// Judges the label, what modules are linked to, and what METADATA requires.
pub(crate) fn check(inspection: &Inspection, wishes: &Wishes, findings: &mut Findings) {
    let label = Label::of(&inspection.file_name.version);
    if let Some(cuda) = wishes.cuda {
        check_cuda(inspection, cuda, label, findings);
    }
    if let Some(torch) = wishes.torch {
        check_torch(inspection, torch, label, findings);
    }
}

fn check_cuda(inspection: &Inspection, cuda: CudaVersion, label: Label, findings: &mut Findings) {
    if let Some(own) = label.cuda.filter(|own| *own != cuda) {
        findings.add(rules::WANTED_CUDA, format!("its label says CUDA {own}, not {cuda}"));
    }
    let majors: Vec<(u16, &str)> = inspection
        .modules
        .iter()
        .filter_map(|module| Some((runtime(module)?, module.path.as_str())))
        .collect();
    // A wheel with modules for several releases serves each of them.
    if !majors.iter().any(|(major, _)| *major == cuda.major) {
        for (major, path) in majors {
            findings.add(rules::WANTED_CUDA, format!("{path} needs the runtime of CUDA {major}"));
        }
    }
}

fn check_torch(
    inspection: &Inspection,
    torch: TorchVersion,
    label: Label,
    findings: &mut Findings,
) {
    if let Some(own) = label.torch.filter(|own| own.series() != torch.series()) {
        findings.add(rules::WANTED_TORCH, format!("its label says torch {own}, not {torch}"));
    }
    let required = inspection.metadata.requirements();
    for requirement in required.filter(|one| one.name.as_str() == "torch") {
        // Some patch of a series will do where none was named.
        let patches = torch.patch.map_or(0..=NEWEST_PATCH, |patch| u64::from(patch)..=patch.into());
        let (major, minor) = (torch.major.into(), torch.minor.into());
        let admits = |patch| requirement.versions.contains(&Version::new([major, minor, patch]));
        if !patches.into_iter().any(admits) {
            let line = format!("it requires torch{}, not {torch}", requirement.versions);
            findings.add(rules::WANTED_TORCH, line);
        }
    }
}

/// Later than any patch release of torch.
const NEWEST_PATCH: u64 = 20;
