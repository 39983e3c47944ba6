//! What was wanted of a wheel, and how it stands against that.

use serde::Serialize;
use wheelmill_model::{ArchList, CudaVersion, PackageName, PythonVersion, TorchVersion, Version};

use crate::device::Coverage;
use crate::driver::DriverFloor;
use crate::finding::{Finding, Severity};
use crate::link::Environment;
use crate::platform::EarnedPlatform;
use crate::rules::{self, Rule};

/// What a wheel is wanted to be; what is left open is not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The package.
    pub name: Option<PackageName>,
    /// Its version. One without a local label is met by any label.
    pub version: Option<Version>,
    /// The Python it is to run on.
    pub python: Option<PythonVersion>,
    /// Whether there must be GPU code in it.
    pub device_code: bool,
    /// The GPUs it is to run on.
    pub architectures: Option<ArchList>,
    /// The modules that must be in it, by the names they are imported under.
    pub modules: Vec<String>,
    /// The CUDA release that it is to go with.
    pub cuda: Option<CudaVersion>,
    /// The torch that it is to go with.
    pub torch: Option<TorchVersion>,
    /// Libraries that come from elsewhere, though nothing that is known here brings them: names, in
    /// which a star stands for any part.
    pub elsewhere: Vec<String>,
    /// The oldest glibc that it is to run on, by its minor number: 28 for 2.28.
    pub glibc: Option<u16>,
    /// What its modules are loaded with. The libraries there are read while it is judged.
    pub environment: Option<Environment>,
}

impl Wishes {
    /// Whether a library is known to come from elsewhere.
    pub(crate) fn has_elsewhere(&self, library: &str) -> bool {
        self.elsewhere.iter().any(|pattern| matches(pattern, library))
    }
}

/// Whether a name fits a pattern, in which a star stands for any part.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    let ends = name.char_indices().map(|(place, _)| place).chain([name.len()]);
    ends.into_iter().any(|place| matches(rest, &name[place..]))
}

/// A check that could not be made; never counted as passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NotChecked {
    /// What was not checked.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// How a wheel stands against what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// Everything found, the gravest first: in reading and in judging.
    pub findings: Vec<Finding>,
    /// Whether no finding is an error.
    pub passed: bool,
    /// What could not be checked.
    pub not_checked: Vec<NotChecked>,
    /// One line for people: `sm_90 natively; no PTX for newer GPUs`.
    pub summary: String,
    /// How each generation of GPUs is served; empty without device code.
    pub coverage: Vec<Coverage>,
    /// The platform tag that its own files earn; `None` without native code, or where that is not
    /// checked.
    pub platform: Option<EarnedPlatform>,
    /// What it asks of the driver: empty where it asks nothing, or where that is not checked; one
    /// for each major CUDA release where it holds modules for several.
    pub drivers: Vec<DriverFloor>,
}

impl Verdict {
    /// Adds that the wheel could not be made fit for other machines, and why.
    pub fn add_not_repaired(&mut self, why: &str) {
        self.add(rules::REPAIR_NO_POLICY, why);
    }

    /// Whether it says that the wheel could not be made fit for other machines; gives why. `kept` is
    /// a verdict as JSON.
    #[must_use]
    pub fn not_repaired(kept: &serde_json::Value) -> Option<&str> {
        let findings = kept["findings"].as_array()?;
        let found = findings.iter().find(|it| it["code"] == rules::REPAIR_NO_POLICY.code)?;
        found["evidence"][0].as_str()
    }

    /// Adds that importing a module needs another one that nothing brings.
    pub fn add_undeclared(&mut self, imported: &str, missing: &str) {
        self.add(rules::IMPORT_UNDECLARED, &format!("importing `{imported}` needs `{missing}`"));
    }

    fn add(&mut self, rule: &Rule, evidence: &str) {
        self.findings.push(Finding::of(rule).evidence([evidence]));
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.passed &= rule.severity < Severity::Error;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part() {
        assert!(matches("libgone.so.*", "libgone.so.1"));
        assert!(matches("lib*gone*.so", "libbegone.so"));
        assert!(matches("*", ""));
        assert!(!matches("libgone.so.*", "libgone.so"));
        assert!(!matches("libgone.so", "libgone.so.1"));
    }
}
