//! Holds what a wheel's tags promise against what its files need.

use super::earned::{EarnedPlatform, Need, NeedKind};
use super::policy::{POLICIES, Policy};
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::rules::{self, Rule};

/// Judges the manylinux tags of the file name. A wheel with several promises the least of them.
pub(super) fn check(inspection: &Inspection, earned: &EarnedPlatform, findings: &mut Findings) {
    let platforms = inspection.file_name.tags.iter().map(|tag| tag.platform.as_str());
    let Some(promise) = platforms.filter_map(promised).min() else {
        for need in earned.needs.iter().filter(|need| need.policy.is_none()) {
            findings.add(rules::ELF_OUTSIDE, need.line.clone());
        }
        return;
    };
    for need in earned.needs.iter().filter(|need| !keeps(promise, need)) {
        let deserves = match need.policy {
            Some(policy) => format!("manylinux_2_{policy}"),
            None => "no manylinux tag".to_owned(),
        };
        findings.add(rule(need.kind), format!("{} ({deserves})", need.line));
    }
}

/// Judges whether the wheel runs on systems with a glibc 2 of this minor number.
pub(crate) fn check_wanted(earned: &EarnedPlatform, wanted: Policy, findings: &mut Findings) {
    for need in earned.needs.iter().filter(|need| !keeps(wanted, need)) {
        findings.add(rules::WANTED_GLIBC, need.line.clone());
    }
}

/// Whether systems of a promise grant a need. Any glibc may be promised, also one between or beyond
/// the policies: symbols of glibc itself are then held against its number.
fn keeps(promise: Policy, need: &Need) -> bool {
    if let Some(minor) = need.glibc {
        return minor <= promise;
    }
    let granted = POLICIES.iter().copied().find(|policy| *policy >= promise).unwrap_or(promise);
    need.policy.is_some_and(|policy| policy <= granted)
}

const fn rule(kind: NeedKind) -> &'static Rule {
    match kind {
        NeedKind::SymbolVersion => rules::TAG_SYMBOL_VERSION,
        NeedKind::Library => rules::TAG_LIBRARY,
        NeedKind::Processor => rules::TAG_PROCESSOR,
    }
}

/// The minor number of the glibc that a platform tag promises to do with.
fn promised(platform: &str) -> Option<Policy> {
    // The names from before PEP 600.
    for (old, policy) in [("manylinux1_", 5), ("manylinux2010_", 12), ("manylinux2014_", 17)] {
        if platform.starts_with(old) {
            return Some(policy);
        }
    }
    let rest = platform.strip_prefix("manylinux_2_")?;
    let (minor, _machine) = rest.split_once('_')?;
    minor.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_promise_a_policy() {
        assert_eq!(promised("manylinux_2_28_x86_64"), Some(28));
        assert_eq!(promised("manylinux2014_aarch64"), Some(17));
        assert_eq!(promised("manylinux1_x86_64"), Some(5));
        assert_eq!(promised("linux_x86_64"), None);
        assert_eq!(promised("musllinux_1_2_x86_64"), None);
        assert_eq!(promised("manylinux_2_x_x86_64"), None);
    }

    #[test]
    fn any_glibc_may_be_promised() {
        let need = |policy, glibc| Need {
            policy,
            glibc,
            kind: NeedKind::SymbolVersion,
            line: String::new(),
        };
        // GLIBC_2.29 is first granted by manylinux_2_31, but manylinux_2_29 promises just it.
        assert!(keeps(29, &need(Some(31), Some(29))));
        assert!(!keeps(28, &need(Some(31), Some(29))));
        assert!(keeps(60, &need(None, Some(60))));
        assert!(keeps(29, &need(Some(31), None)));
        assert!(!keeps(29, &need(Some(34), None)));
        assert!(!keeps(41, &need(None, None)));
    }
}
