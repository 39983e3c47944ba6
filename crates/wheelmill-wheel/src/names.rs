//! Holds the file name, the `.dist-info` folder, METADATA and WHEEL against one another.

use std::collections::BTreeSet;

use wheelmill_model::{PackageName, Version, WheelFilename, WheelTag};

use crate::finding::Findings;
use crate::metadata::{Metadata, WheelFile};
use crate::rules;

/// Compares everything that names the wheel.
pub(crate) fn check(
    file_name: &WheelFilename,
    dist_info: &str,
    metadata: &Metadata,
    wheel: &WheelFile,
    findings: &mut Findings,
) {
    check_spelling(file_name, findings);
    let stem = dist_info.strip_suffix(".dist-info").unwrap_or(dist_info);
    let parts = stem.split_once('-').and_then(|(name, version)| {
        Some((name.parse::<PackageName>().ok()?, version.parse::<Version>().ok()?))
    });
    if parts.as_ref() != Some(&(file_name.name.clone(), file_name.version.clone())) {
        findings.add(rules::DIST_INFO_NAME, dist_info);
    }
    if metadata.name != file_name.name {
        let line = format!("{} in METADATA, {} in the file name", metadata.name, file_name.name);
        findings.add(rules::METADATA_NAME, line);
    }
    if metadata.version != file_name.version {
        let (inner, outer) = (&metadata.version, &file_name.version);
        let line = format!("{inner} in METADATA, {outer} in the file name");
        findings.add(rules::METADATA_VERSION, line);
    }
    check_tags(file_name, wheel, findings);
}

fn check_spelling(file_name: &WheelFilename, findings: &mut Findings) {
    let mut parts = file_name.as_str().split('-');
    let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let normal = file_name.name.as_file_stem();
    if name != normal {
        findings.add(rules::NAME_SPELLING, format!("`{name}`, normally `{normal}`"));
    }
    // The dash of a local label is not allowed within a part of the name.
    let normal = file_name.version.to_string().replace('-', "_");
    if version != normal {
        findings.add(rules::NAME_VERSION, format!("`{version}`, normally `{normal}`"));
    }
}

fn check_tags(file_name: &WheelFilename, wheel: &WheelFile, findings: &mut Findings) {
    if wheel.build != file_name.build {
        let show = |build: &Option<String>| build.clone().unwrap_or_else(|| "none".to_owned());
        let line =
            format!("{} in WHEEL, {} in the file name", show(&wheel.build), show(&file_name.build));
        findings.add(rules::WHEEL_BUILD, line);
    }
    let inner: BTreeSet<&WheelTag> = wheel.tags.iter().collect();
    let outer: BTreeSet<&WheelTag> = file_name.tags.iter().collect();
    if !inner.is_empty() && inner != outer {
        for tag in inner.difference(&outer) {
            findings.add(rules::TAG_MISMATCH, format!("only in WHEEL: {tag}"));
        }
        for tag in outer.difference(&inner) {
            findings.add(rules::TAG_MISMATCH, format!("only in the file name: {tag}"));
        }
    }
}
