//! Holds an inspected wheel against what was wanted of it.

use std::collections::BTreeSet;

use wheelmill_model::{ArchTarget, CudaArch, Feature, PythonVersion, WheelTag};

use crate::device::{Container, Image, ImageKind, coverage};
use crate::elf::installed_path;
use crate::finding::{Finding, Findings, Severity};
use crate::inspection::{Inspection, NativeModule};
use crate::rules;
use crate::summary::summary;
use crate::verdict::{Expectation, NotChecked, Verdict};

/// Judges a wheel.
#[must_use]
pub fn verify(inspection: &Inspection, expectation: &Expectation) -> Verdict {
    let mut findings = Findings::default();
    check_identity(inspection, expectation, &mut findings);
    check_modules(inspection, expectation, &mut findings);
    let mut own = findings.finish();
    own.extend(check_device_code(inspection, expectation));
    let mut findings: Vec<Finding> = inspection.findings.clone();
    findings.extend(own);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Verdict {
        passed: findings.iter().all(|finding| finding.severity < Severity::Error),
        findings,
        not_checked: not_checked(inspection),
        summary: summary(inspection),
        coverage: coverage(&inspection.modules),
    }
}

fn check_identity(inspection: &Inspection, wanted: &Expectation, findings: &mut Findings) {
    let name = &inspection.file_name;
    if name.name != wanted.name {
        findings.add(rules::WANTED_NAME, format!("{}, not {}", name.name, wanted.name));
    }
    if let Some(version) = &wanted.version {
        let same = if version.local().is_empty() {
            name.version.clone().without_local() == *version
        } else {
            name.version == *version
        };
        if !same {
            findings.add(rules::WANTED_VERSION, format!("{}, not {version}", name.version));
        }
    }
    if !name.tags.iter().any(|tag| fits(tag, wanted.python)) {
        let python = wanted.python;
        findings.add(rules::WANTED_PYTHON, format!("{name} does not fit Python {python}"));
    }
}

/// Whether CPython of that version takes the tag (PEP 425, PEP 384 for `abi3`).
fn fits(tag: &WheelTag, python: PythonVersion) -> bool {
    let own = python.tag();
    let (implementation, number) = tag.python.split_at_checked(2).unwrap_or(("", ""));
    let digits = number.strip_prefix(&python.major.to_string());
    // `py3` and `cp3` mean any 3.x; `py39` means 3.9 and later.
    let minor =
        digits.and_then(|digits| if digits.is_empty() { Some(0) } else { digits.parse().ok() });
    let not_newer = minor.is_some_and(|minor: u16| minor <= python.minor);
    match (implementation, tag.abi.as_str()) {
        ("cp", "abi3") | ("py", "none") => not_newer,
        ("cp", "none") => tag.python == own || tag.python == format!("cp{}", python.major),
        ("cp", abi) => tag.python == own && abi == own,
        _ => false,
    }
}

fn check_modules(inspection: &Inspection, wanted: &Expectation, findings: &mut Findings) {
    if wanted.modules.is_empty() {
        return;
    }
    let present = importable(inspection);
    for module in &wanted.modules {
        if !present.contains(module) {
            findings.add(rules::MODULE_MISSING, module.clone());
        }
    }
}

/// Every dotted name that the wheel makes importable: modules, packages and folders.
fn importable(inspection: &Inspection) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in inspection.files.iter().filter_map(|path| installed_path(path)) {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = match file.split_once('.') {
            Some((stem, "py")) => stem,
            Some((stem, ending)) if ending == "so" || ending.ends_with(".so") => stem,
            _ => continue,
        };
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        if stem != "__init__" {
            parts.push(stem);
        }
        for length in 1..=parts.len() {
            names.insert(parts[..length].join("."));
        }
    }
    names
}

fn check_device_code(inspection: &Inspection, wanted: &Expectation) -> Vec<Finding> {
    let modules: Vec<&NativeModule> = inspection
        .modules
        .iter()
        .filter(|module| module.executable_containers().next().is_some())
        .collect();
    if modules.is_empty() {
        return if wanted.device_code { vec![Finding::of(rules::DEVICE_NONE)] } else { Vec::new() };
    }
    wanted.architectures.iter().flat_map(|target| missing(&modules, target)).collect()
}

/// What is missing for one wished architecture: its machine code, and its PTX if that was wished.
fn missing(modules: &[&NativeModule], target: ArchTarget) -> Vec<Finding> {
    let arch = target.arch;
    let mut findings = Vec::new();
    let mut need = |what: String, meets: &dyn Fn(&Image) -> bool| {
        let lacking: Vec<String> =
            modules.iter().filter_map(|module| lacking(module, meets)).collect();
        if !lacking.is_empty() {
            let message =
                format!("{what} is missing in {} of {} modules", lacking.len(), modules.len());
            findings.push(Finding::of(rules::DEVICE_MISSING).message(message).evidence(lacking));
        }
    };
    need(format!("machine code for {arch}"), &|image| image.runs_natively_on(arch));
    if target.ptx {
        need(format!("PTX of {arch} or older, for newer GPUs,"), &|image| {
            serves_newer(image, arch)
        });
    }
    findings
}

fn serves_newer(image: &Image, arch: CudaArch) -> bool {
    image.kind == ImageKind::Ptx
        && image.arch.feature == Feature::Base
        && image.arch.number <= arch.number
}

/// A line on the containers of a module in which no image meets a need.
fn lacking(module: &NativeModule, meets: &dyn Fn(&Image) -> bool) -> Option<String> {
    let containers: Vec<&Container> = module.executable_containers().collect();
    let without: Vec<&&Container> =
        containers.iter().filter(|container| !container.images.iter().any(meets)).collect();
    let first = without.first()?;
    let has: BTreeSet<String> =
        first.images.iter().map(|image| format!("{} {}", image.arch, image.kind)).collect();
    let has: Vec<String> = has.into_iter().collect();
    Some(format!(
        "{}: {} of {} containers, such as one with {}",
        module.path,
        without.len(),
        containers.len(),
        if has.is_empty() { "nothing".to_owned() } else { has.join(", ") }
    ))
}

fn not_checked(inspection: &Inspection) -> Vec<NotChecked> {
    let mut list = Vec::new();
    let mut add = |what: &str, why: &str| {
        list.push(NotChecked { what: what.to_owned(), why: why.to_owned() });
    };
    let has_code = inspection.modules.iter().any(|module| !module.device_code.is_empty());
    if has_code && !inspection.deep {
        add("the contents of larger device images", "only a deep inspection unpacks them");
    }
    list
}
