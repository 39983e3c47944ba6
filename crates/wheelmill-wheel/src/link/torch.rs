//! Whether a wheel's modules were made for the torch that they meet.
//!
//! That every symbol is found is necessary, not sufficient: objects are laid out by the headers of
//! the torch that a module was compiled with, and these change with each minor release.

use wheelmill_model::{CudaVersion, PackageName, Version};

use super::environment::Environment;
use super::owner::{self, Owner};
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::label::Label;
use crate::rules;
use crate::verdict::NotChecked;

/// The C functions of libtorch that stay from release to release, by the release that brought them;
/// those not named were there in 2.8. From `torch/csrc/stable/c/shim_function_versions.txt` of
/// pytorch/pytorch (2026-09), and for 2.9 and 2.10 from what the libraries of the releases export.
const SHIM: &str = include_str!("shim_versions.txt");

/// The first release of torch that has a function, where that is later than 2.8.
pub(crate) fn first_release_with(function: &str) -> Option<Version> {
    SHIM.lines().find_map(|line| {
        let (release, names) = line.split_once(": ")?;
        names.split(' ').any(|name| name == function).then(|| release.parse().ok())?
    })
}

fn is_torch(name: &PackageName) -> bool {
    name.as_str() == "torch"
}

/// Whether a library is one of torch's own, by its name.
pub(crate) fn is_library(name: &str) -> bool {
    name.starts_with("libtorch") || name.starts_with("libc10")
}

/// Whether the wheel's modules are linked with torch.
pub(crate) fn links_torch(inspection: &Inspection) -> bool {
    inspection.modules.iter().any(|module| module.needed.iter().any(|name| is_library(name)))
}

/// Judges what the wheel says of torch by the functions that its modules ask for.
pub(crate) fn check_floor(inspection: &Inspection, findings: &mut Findings) {
    let symbols = inspection
        .modules
        .iter()
        .flat_map(|module| module.linkage.undefined.iter().map(move |symbol| (module, symbol)))
        .filter(|(_, symbol)| {
            symbol.name.starts_with("aoti_torch_") || symbol.name.starts_with("torch_")
        });
    let newest = symbols
        .filter_map(|(module, symbol)| Some((first_release_with(&symbol.name)?, module, symbol)))
        .max_by(|one, other| one.0.cmp(&other.0));
    let Some((floor, module, symbol)) = newest else { return };
    let &[major, minor, ..] = floor.release() else { return };
    let before = Version::new([major, minor - 1, 99]);
    let requirements = inspection.metadata.requirements();
    for requirement in requirements.filter(|requirement| is_torch(&requirement.name)) {
        if requirement.marker.is_none() && requirement.versions.contains(&before) {
            let line = format!(
                "{}: `{}` is in torch {floor} and later, and METADATA says `torch{}`",
                module.path, symbol.name, requirement.versions
            );
            findings.add(rules::TORCH_FLOOR, line);
        }
    }
}

/// Judges the versions: what the wheel was built with and requires, against what is there.
pub(crate) fn check_versions(
    inspection: &Inspection,
    environment: &Environment,
    findings: &mut Findings,
    not_checked: &mut Vec<NotChecked>,
) {
    let Some(torch) = environment.torch() else { return };
    let mut pinned = false;
    let minor = |version: &Version| {
        let mut numbers = version.release().iter();
        (numbers.next().copied().unwrap_or(0), numbers.next().copied().unwrap_or(0))
    };
    let (own_major, own_minor) = minor(torch);
    for requirement in inspection.metadata.requirements() {
        if !is_torch(&requirement.name) || requirement.marker.is_some() {
            continue;
        }
        if !requirement.versions.contains(torch) {
            let line = format!(
                "METADATA says `torch{}`, the environment has torch {torch}",
                requirement.versions
            );
            findings.add(rules::TORCH_VERSION, line);
        }
        let next = Version::new([own_major, own_minor + 1, 0]);
        let last = Version::new([own_major, own_minor.saturating_sub(1), 0]);
        pinned |= !requirement.versions.contains(&next) && !requirement.versions.contains(&last);
    }
    let label = Label::of(&inspection.file_name.version);
    if let Some(built) = label.torch {
        pinned = true;
        if (u64::from(built.major), u64::from(built.minor)) != (own_major, own_minor) {
            let line = format!("its label says torch {built}, the environment has torch {torch}");
            findings.add(rules::TORCH_VERSION, line);
        }
    }
    let own: Option<CudaVersion> = environment.torch_cuda.as_ref().and_then(|own| own.parse().ok());
    if let (Some(built), Some(own)) = (label.cuda, own)
        && built.major != own.major
    {
        let line = format!("its label says CUDA {built}, the environment's torch is for {own}");
        findings.add(rules::TORCH_VERSION, line);
    }
    if !pinned && uses_cpp(inspection) {
        not_checked.push(NotChecked {
            what: format!("whether the modules were compiled for torch {own_major}.{own_minor}"),
            why:
                "the wheel does not say which torch it was built with, and symbols that are found \
                  do not prove that objects are laid out alike"
                    .to_owned(),
        });
    }
}

/// Whether modules use torch's C++ classes, not its lasting C functions alone.
fn uses_cpp(inspection: &Inspection) -> bool {
    links_torch(inspection)
        && inspection
            .modules
            .iter()
            .flat_map(|module| &module.linkage.undefined)
            .any(|symbol| owner::read(&symbol.name).owner == Owner::Torch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_known_by_the_release_that_brought_them() {
        let first = |name| first_release_with(name).map(|version| version.to_string());
        assert_eq!(first("aoti_torch_create_device_guard").as_deref(), Some("2.9"));
        assert_eq!(first("torch_list_push_back").as_deref(), Some("2.10"));
        assert_eq!(first("aoti_torch_empty_strided"), None);
    }
}
