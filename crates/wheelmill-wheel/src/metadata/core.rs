//! METADATA (PyPA "Core metadata").

use serde::Serialize;
use wheelmill_model::{PackageName, Version, VersionSpecifiers};

use super::headers::Headers;
use super::requirement::Requirement;
use crate::finding::Findings;
use crate::rules;

/// What METADATA says of a wheel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// The version of the format: `2.4`.
    pub metadata_version: Option<String>,
    /// The package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// One line about it.
    pub summary: Option<String>,
    /// What it needs, as written.
    pub requires_dist: Vec<String>,
    /// The versions of Python it says it runs on, as written.
    pub requires_python: Option<String>,
    /// The extras it offers.
    pub provides_extra: Vec<String>,
    /// Its licence, as an SPDX expression or in its own words.
    pub license: Option<String>,
}

impl Metadata {
    /// What it needs, leaving out what cannot be read (which has a finding).
    pub fn requirements(&self) -> impl Iterator<Item = Requirement> + '_ {
        self.requires_dist.iter().filter_map(|text| text.parse().ok())
    }
}

/// Reads METADATA. Without a name or a version there is nothing to describe: the error says which
/// is missing.
pub(crate) fn read(text: &str, findings: &mut Findings) -> Result<Metadata, String> {
    let headers = Headers::read(text);
    for line in &headers.strange {
        findings.add(rules::METADATA_SYNTAX, line.clone());
    }
    for field in ["Metadata-Version", "Name", "Version", "Requires-Python"] {
        if headers.all(field).nth(1).is_some() {
            findings.add(rules::METADATA_REPEATED, field);
        }
    }
    let name = headers.first("Name").ok_or("its METADATA has no Name")?;
    let name = name.parse().map_err(|_| format!("its METADATA names the package `{name}`"))?;
    let version = headers.first("Version").ok_or("its METADATA has no Version")?;
    let version =
        version.parse().map_err(|_| format!("its METADATA gives the version `{version}`"))?;
    let requires_dist: Vec<String> = headers.all("Requires-Dist").map(str::to_owned).collect();
    for text in &requires_dist {
        if let Err(error) = text.parse::<Requirement>() {
            findings.add(rules::METADATA_REQUIREMENT, error.to_string());
        }
    }
    let requires_python = headers.first("Requires-Python").map(str::to_owned);
    if let Some(text) = &requires_python
        && text.parse::<VersionSpecifiers>().is_err()
    {
        findings.add(rules::METADATA_PYTHON, text.clone());
    }
    Ok(Metadata {
        metadata_version: headers.first("Metadata-Version").map(str::to_owned),
        name,
        version,
        summary: headers.first("Summary").map(str::to_owned),
        requires_dist,
        requires_python,
        provides_extra: headers.all("Provides-Extra").map(str::to_owned).collect(),
        license: headers
            .first("License-Expression")
            .or_else(|| headers.first("License").filter(|text| !text.contains('\n')))
            .map(str::to_owned),
    })
}
