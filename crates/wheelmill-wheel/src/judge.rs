//! Holds an inspected wheel against what was wanted of it.

use std::collections::BTreeSet;

use wheelmill_model::PythonVersion;

use crate::architectures;
use crate::device::{ImageKind, coverage};
use crate::driver::driver_floors;
use crate::elf::{installed_path, python_of};
use crate::finding::{Findings, Severity};
use crate::inspection::Inspection;
use crate::link;
use crate::rules;
use crate::summary::summary;
use crate::verdict::{NotChecked, Verdict, Wishes};
use crate::{platform, python, toolchain};

/// Judges a wheel by what is known to be wanted of it; with no wish, by itself alone.
#[must_use]
pub fn judge(inspection: &Inspection, wishes: &Wishes) -> Verdict {
    let mut judged = Findings::default();
    let mut not_checked = not_checked(inspection);
    let mut add = |what: &str, why: &dyn ToString| {
        not_checked.push(NotChecked { what: what.to_owned(), why: why.to_string() });
    };
    let platform = platform::earned(inspection);
    if let Err(error) = &platform {
        add("whether the platform tag is deserved", error);
    }
    let platform = platform.unwrap_or_default();
    let drivers = driver_floors(inspection);
    if let Err(error) = &drivers {
        add("the oldest driver that runs it", error);
    }
    let drivers = drivers.unwrap_or_default();
    check_identity(inspection, wishes, &mut judged);
    let of_environment = wishes.environment.as_ref().and_then(|environment| environment.python);
    python::check(inspection, wishes.python.or(of_environment), &mut judged);
    toolchain::check(inspection, wishes, &mut judged);
    check_modules(inspection, wishes, &mut judged);
    platform::check(inspection, platform.as_ref(), &mut judged);
    if let (Some(wanted), Some(platform)) = (wishes.glibc, &platform) {
        platform::check_wanted(platform, wanted, &mut judged);
    }
    let coverage = coverage(&inspection.modules);
    let mut findings = inspection.findings.clone();
    findings.extend(judged.finish());
    findings.extend(architectures::check(inspection, wishes));
    findings.extend(architectures::uneven(&coverage));
    let mut linked = link::check(inspection, wishes);
    findings.append(&mut linked.findings);
    not_checked.append(&mut linked.not_checked);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Verdict {
        passed: findings.iter().all(|finding| finding.severity < Severity::Error),
        findings,
        not_checked,
        summary: summary(inspection, &coverage, &drivers),
        coverage,
        platform,
        drivers,
    }
}

fn check_identity(inspection: &Inspection, wishes: &Wishes, findings: &mut Findings) {
    let name = &inspection.file_name;
    if let Some(wanted) = wishes.name.as_ref().filter(|wanted| **wanted != name.name) {
        findings.add(rules::WANTED_NAME, format!("{}, not {wanted}", name.name));
    }
    if let Some(version) = &wishes.version {
        let same = if version.local().is_empty() {
            name.version.clone().without_local() == *version
        } else {
            name.version == *version
        };
        if !same {
            findings.add(rules::WANTED_VERSION, format!("{}, not {version}", name.version));
        }
    }
}

fn check_modules(inspection: &Inspection, wishes: &Wishes, findings: &mut Findings) {
    if wishes.modules.is_empty() {
        return;
    }
    let present = importable(inspection, wishes.python);
    for module in &wishes.modules {
        if !present.contains(module) {
            findings.add(rules::MODULE_MISSING, module.clone());
        }
    }
}

/// Every dotted name that the wheel makes importable, by a given Python if there is one: modules,
/// packages and folders.
fn importable(inspection: &Inspection, python: Option<PythonVersion>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in inspection.files.iter().filter_map(|path| installed_path(path)) {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = match file.split_once('.') {
            Some((stem, "py")) => stem,
            Some((stem, ending)) if ending == "so" || ending.ends_with(".so") => stem,
            _ => continue,
        };
        if let (Some(own), Some(python)) = (python_of(file), python)
            && own != python
        {
            continue;
        }
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

fn not_checked(inspection: &Inspection) -> Vec<NotChecked> {
    let mut list = Vec::new();
    let mut add = |what: &str, why: &str| {
        list.push(NotChecked { what: what.to_owned(), why: why.to_owned() });
    };
    let modules = &inspection.modules;
    if !inspection.deep && modules.iter().any(|module| !module.device_code.is_empty()) {
        add("the contents of larger device images", "only a deep inspection unpacks them");
    }
    let scrambled = modules
        .iter()
        .flat_map(|module| &module.device_code)
        .flat_map(|container| &container.images)
        .any(|image| image.kind == ImageKind::LtoIr);
    if inspection.deep && scrambled {
        add("the contents of LTO code", "its form is known to NVIDIA's tools only");
    }
    let elsewhere = |platform: &str| {
        ["win", "macosx", "ios", "android"].iter().any(|start| platform.starts_with(start))
    };
    let of_other = |path: &String| [".pyd", ".dll", ".dylib"].iter().any(|end| path.ends_with(end));
    if inspection.file_name.tags.iter().any(|tag| elsewhere(&tag.platform))
        || inspection.files.iter().any(of_other)
    {
        add("native code for other systems than Linux", "only ELF files are read");
    }
    if !inspection.device_files.is_empty() {
        add(
            "which GPUs and drivers the files of GPU code outside of modules serve",
            "programs choose among them by themselves",
        );
    }
    list
}
