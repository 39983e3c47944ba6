//! The manylinux promises (PEP 600): which symbol versions and libraries the systems have that each
//! of them speaks of.
//!
//! The figures are those of auditwheel's policy file (6.8.2), turned round: for each version, the
//! first policy that allows it. Policies only ever grow, so that the policy of a module is the
//! latest of those that its versions ask for.

use crate::elf::Machine;

/// A policy by the minor number of its glibc: 28 of `manylinux_2_28`.
pub(super) type Policy = u16;

/// All policies, ascending.
pub(super) const POLICIES: &[Policy] =
    &[5, 12, 17, 24, 26, 27, 28, 31, 34, 35, 36, 37, 38, 39, 40, 41];

/// Libraries that every system of any policy has, beside the loader.
const SYSTEM: &[&str] = &[
    "libGL.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libanl.so.1",
    "libatomic.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libm.so.6",
    "libnsl.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
];

/// Libraries that later policies added.
const LATER: &[(&str, Policy)] = &[("libexpat.so.1", 12), ("libmvec.so.1", 24)];

/// The first policy whose systems have a library; `None` for one that no policy speaks of.
pub(super) fn of_library(library: &str) -> Option<Policy> {
    if SYSTEM.contains(&library) || is_loader(library) {
        return Some(POLICIES[0]);
    }
    LATER.iter().find(|(name, _)| *name == library).map(|(_, policy)| *policy)
}

/// `ld-linux-x86-64.so.2`, `ld-linux-aarch64.so.1`: what glibc itself is started by.
fn is_loader(library: &str) -> bool {
    library.starts_with("ld-linux-") || library.starts_with("ld64.so.")
}

/// The oldest policy that a machine has; `None` for machines that are not in these tables: no CUDA
/// is made for them.
pub(super) fn oldest(machine: Machine) -> Option<Policy> {
    match machine {
        Machine::X86_64 => Some(5),
        Machine::AARCH64 => Some(17),
        _ => None,
    }
}

/// The first policy that allows a symbol version, as `GLIBC_2.17`; `None` for one that none does.
pub(super) fn of_version(machine: Machine, version: &str) -> Option<Policy> {
    let oldest = oldest(machine)?;
    let special = |wanted: &(&str, Policy)| wanted.0 == version;
    if let Some((_, policy)) = SPECIAL.iter().find(|one| special(one)) {
        return Some(*policy.max(&oldest));
    }
    let (family, number) = version.split_once('_')?;
    let number = numbers(number)?;
    let (_, steps) = STEPS.iter().find(|(name, _)| *name == family)?;
    let step = steps.iter().find(|step| number <= numbers(step.0).unwrap_or_default())?;
    Some(if machine == Machine::AARCH64 { step.2 } else { step.1 }.max(oldest))
}

fn numbers(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

/// Versions that are no numbers.
const SPECIAL: &[(&str, Policy)] =
    &[("CXXABI_TM_1", 17), ("CXXABI_FLOAT128", 24), ("GLIBC_ABI_DT_RELR", 36)];

/// Up to which version each policy goes: the version, the policy on x86-64, and that on 64-bit Arm.
type Step = (&'static str, Policy, Policy);

#[rustfmt::skip]
const STEPS: &[(&str, &[Step])] = &[
    ("GLIBC", &[
        ("2.5", 5, 17), ("2.12", 12, 17), ("2.17", 17, 17), ("2.24", 24, 24), ("2.26", 26, 26),
        ("2.27", 27, 27), ("2.28", 28, 28), ("2.31", 31, 31), ("2.34", 34, 34), ("2.35", 35, 35),
        ("2.36", 36, 36), ("2.37", 37, 37), ("2.38", 38, 38), ("2.39", 39, 39), ("2.40", 40, 40),
        ("2.41", 41, 41),
    ]),
    ("GLIBCXX", &[
        ("3.4.8", 5, 17), ("3.4.13", 12, 17), ("3.4.19", 17, 17), ("3.4.22", 24, 24),
        ("3.4.24", 27, 26), ("3.4.28", 31, 31), ("3.4.29", 34, 34), ("3.4.30", 35, 35),
        ("3.4.33", 39, 39),
    ]),
    ("CXXABI", &[
        ("1.3.1", 5, 17), ("1.3.3", 12, 17), ("1.3.7", 17, 17), ("1.3.10", 24, 24),
        ("1.3.11", 27, 26), ("1.3.12", 31, 31), ("1.3.13", 34, 34), ("1.3.15", 39, 39),
    ]),
    ("GCC", &[
        ("4.2.0", 5, 17), ("4.3.0", 12, 17), ("4.8.0", 17, 17), ("7.0.0", 27, 26),
        ("11.0", 35, 34), ("12.0.0", 35, 39), ("14.0.0", 39, 39),
    ]),
    ("ZLIB", &[
        ("1.2.2.4", 12, 17), ("1.2.5.2", 17, 17), ("1.2.9", 27, 27), ("1.2.12", 37, 37),
    ]),
    ("LIBATOMIC", &[("1.0", 24, 17), ("1.2", 24, 24)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_asks_for_the_first_policy_that_has_it() {
        for (version, x86, arm) in [
            ("GLIBC_2.2.5", Some(5), Some(17)),
            ("GLIBC_2.14", Some(17), Some(17)),
            ("GLIBC_2.32", Some(34), Some(34)),
            ("GLIBC_2.41", Some(41), Some(41)),
            ("GLIBC_2.99", None, None),
            ("GLIBC_PRIVATE", None, None),
            ("GLIBC_ABI_DT_RELR", Some(36), Some(36)),
            ("GLIBCXX_3.4", Some(5), Some(17)),
            ("GLIBCXX_3.4.21", Some(24), Some(24)),
            ("GLIBCXX_3.4.23", Some(27), Some(26)),
            ("CXXABI_1.3.13", Some(34), Some(34)),
            ("CXXABI_TM_1", Some(17), Some(17)),
            ("GCC_3.0", Some(5), Some(17)),
            ("OPENSSL_1.1", None, None),
        ] {
            assert_eq!(of_version(Machine::X86_64, version), x86, "{version}");
            assert_eq!(of_version(Machine::AARCH64, version), arm, "{version}");
        }
        assert_eq!(of_version(Machine(22), "GLIBC_2.2"), None);
    }

    #[test]
    fn steps_ascend() {
        for (family, steps) in STEPS {
            assert!(steps.is_sorted_by_key(|step| numbers(step.0)), "{family}");
            assert!(steps.is_sorted_by_key(|step| step.1), "{family}");
            assert!(steps.is_sorted_by_key(|step| step.2), "{family}");
        }
    }

    #[test]
    fn libraries_of_the_system_are_known() {
        assert_eq!(of_library("libc.so.6"), Some(5));
        assert_eq!(of_library("ld-linux-x86-64.so.2"), Some(5));
        assert_eq!(of_library("libmvec.so.1"), Some(24));
        assert_eq!(of_library("libgomp.so.1"), None);
        assert_eq!(of_library("libpython3.11.so.1.0"), None);
    }
}
