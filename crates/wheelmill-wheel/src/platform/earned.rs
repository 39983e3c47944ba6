//! The platform tag that a wheel earns by its own files, whatever the one it carries.

use serde::Serialize;

use super::libraries::{self, Outside, Provider};
use super::policy::{self, Policy};
use crate::elf::{IsaLevel, Machine};
use crate::inspection::{Inspection, NativeModule};

/// The promise that a wheel can keep: on which systems its native code finds all that it needs.
/// It is computed from the wheel and the policies alone, so that it is the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EarnedPlatform {
    /// The tag: `manylinux_2_28_x86_64`, or `linux_x86_64` where no policy fits.
    pub tag: String,
    /// The oldest glibc that will do, `2.28`; `None` where no policy fits.
    pub glibc: Option<String>,
    /// What keeps it from an older tag: one line a place.
    pub because: Vec<String>,
    #[serde(skip)]
    pub(super) needs: Vec<Need>,
}

/// Why a wheel's platform cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// Its native code is for machines of several kinds.
    #[error("its native code is for {0}")]
    SeveralMachines(String),
    /// The policies of that machine are not known here.
    #[error("the policies for {0} are not known here")]
    Machine(Machine),
    /// It is for systems with another C library than glibc.
    #[error("it is for systems with musl, whose policies are not known here")]
    Musl,
}

/// What one module needs of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// The first policy that grants it; `None` when none does.
    pub(super) policy: Option<Policy>,
    /// The minor number of glibc, where the need is a version of it.
    pub(super) glibc: Option<u16>,
    pub(super) kind: NeedKind,
    /// The module and the thing, for people.
    pub(super) line: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NeedKind {
    SymbolVersion,
    Library,
    Processor,
}

/// Computes it; `None` for a wheel without native code.
///
/// # Errors
/// When there are no policies to hold the wheel against.
pub fn earned(inspection: &Inspection) -> Result<Option<EarnedPlatform>, PlatformError> {
    let Some(machine) = machine(inspection)? else { return Ok(None) };
    let oldest = policy::oldest(machine).ok_or(PlatformError::Machine(machine))?;
    let modules = || inspection.modules.iter().filter(|module| module.machine == machine);
    let musl = |library: &String| library.starts_with("libc.musl-");
    if modules().any(|module| module.needed.iter().any(musl)) {
        return Err(PlatformError::Musl);
    }
    let mut needs: Vec<Need> = modules().flat_map(|module| versions_of(module, machine)).collect();
    needs.extend(libraries::outside(inspection).filter_map(library));
    needs.extend(modules().filter_map(processor));
    let earned = needs.iter().map(|need| need.policy.ok_or(())).max().unwrap_or(Ok(oldest));
    let policy = earned.ok().map(|policy| policy.max(oldest));
    let because = match policy {
        Some(policy) if policy == oldest => Vec::new(),
        _ => needs
            .iter()
            .filter(|need| need.policy == policy)
            .map(|need| need.line.clone())
            .collect(),
    };
    Ok(Some(EarnedPlatform {
        tag: match policy {
            Some(policy) => format!("manylinux_2_{policy}_{machine}"),
            None => format!("linux_{machine}"),
        },
        glibc: policy.map(|policy| format!("2.{policy}")),
        because,
        needs,
    }))
}

/// The machine that native code is for: the one that the file name speaks of, else that of all
/// modules.
fn machine(inspection: &Inspection) -> Result<Option<Machine>, PlatformError> {
    let mut machines: Vec<Machine> =
        inspection.modules.iter().map(|module| module.machine).collect();
    machines.sort_unstable();
    machines.dedup();
    let platforms = inspection.file_name.tags.iter().map(|tag| tag.platform.as_str());
    let promised = platforms.filter_map(Machine::of_platform).find(|one| machines.contains(one));
    match (&machines[..], promised) {
        ([], _) => Ok(None),
        (_, Some(machine)) | (&[machine], None) => Ok(Some(machine)),
        (_, None) => {
            let names: Vec<String> = machines.iter().map(Machine::to_string).collect();
            Err(PlatformError::SeveralMachines(names.join(" and ")))
        }
    }
}

/// The newest version that a module needs of each system library.
fn versions_of(module: &NativeModule, machine: Machine) -> Vec<Need> {
    let mut needs = Vec::new();
    for (library, versions) in &module.symbol_versions {
        if policy::of_library(library).is_none() {
            continue;
        }
        let newest = versions
            .iter()
            .map(|version| (policy::of_version(machine, version), version))
            .max_by_key(|(policy, _)| policy.ok_or(()));
        needs.extend(newest.map(|(policy, version)| {
            Need {
                policy,
                glibc: version
                    .strip_prefix("GLIBC_2.")
                    .and_then(|rest| rest.split('.').next()?.parse().ok()),
                kind: NeedKind::SymbolVersion,
                line: format!("{}: {version} of {library}", module.path),
            }
        }));
    }
    needs
}

/// A library from outside. What another distribution or the driver brings is no matter of the
/// system; whether it is required is judged apart.
fn library(outside: Outside<'_>) -> Option<Need> {
    let Outside { module, library, provider } = outside;
    let policy = match provider {
        Some(Provider::System(policy)) => Some(policy),
        Some(Provider::Driver | Provider::Distribution(_)) => return None,
        None => None,
    };
    Some(Need {
        policy,
        glibc: None,
        kind: NeedKind::Library,
        line: format!("{module}: {library}"),
    })
}

fn processor(module: &NativeModule) -> Option<Need> {
    let level: IsaLevel = module.properties.isa_level?;
    let line = format!("{}: processors of {level}", module.path);
    Some(Need { policy: None, glibc: None, kind: NeedKind::Processor, line })
}
