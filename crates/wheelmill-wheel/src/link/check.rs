//! Loads a wheel's modules as Python would, and gathers what would not be found.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::environment::Environment;
use super::files::{Files, Library};
use super::imports::Base;
use super::loader::{Opened, Process};
use super::owner::{self, Owner};
use super::report::{Report, Trouble};
use super::{abi3, system, torch};
use crate::elf::Undefined;
use crate::finding::{Finding, Findings};
use crate::inspection::{Inspection, NativeModule};
use crate::verdict::{NotChecked, Wishes};

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Linked {
    pub(crate) findings: Vec<Finding>,
    pub(crate) not_checked: Vec<NotChecked>,
}

/// Judges how a wheel's modules fit what they are loaded with; without an environment, as far as the
/// wheel alone tells.
pub(crate) fn check(inspection: &Inspection, wishes: &Wishes) -> Linked {
    let mut findings = Findings::default();
    let mut linked = Linked::default();
    abi3::check(inspection, &mut findings);
    torch::check_floor(inspection, &mut findings);
    match &wishes.environment {
        _ if inspection.modules.is_empty() => {}
        None => linked.not_checked.push(NotChecked {
            what: "whether every symbol is found when the modules are loaded".to_owned(),
            why: "that takes the libraries that they are loaded with".to_owned(),
        }),
        Some(environment) => {
            let not_checked = &mut linked.not_checked;
            torch::check_versions(inspection, environment, &mut findings, not_checked);
            load_all(inspection, environment, wishes, &mut findings, not_checked);
        }
    }
    linked.findings = findings.finish();
    linked
}

fn load_all(
    inspection: &Inspection,
    environment: &Environment,
    wishes: &Wishes,
    findings: &mut Findings,
    not_checked: &mut Vec<NotChecked>,
) {
    let base = Base::new(inspection, environment);
    let mut report = Report::new(inspection, environment, wishes, &base.process);
    if !base.python && uses_python(inspection) {
        let why = match &environment.interpreter {
            Some(program) => format!("neither `{program}` nor a libpython that it names has them"),
            None => "the environment has no Python that could be asked".to_owned(),
        };
        report.not_checked("whether the symbols of Python are found", &why);
    }
    let mut others = BTreeSet::new();
    let roots: Vec<Root<'_>> = roots(inspection, &base.files)
        .into_iter()
        .filter(|root| {
            let fits = match (root.module.and_then(abi3::made_for), environment.python) {
                (Some(made_for), Some(python)) => made_for == python,
                _ => true,
            };
            if !fits {
                others.insert(root.library.name().to_owned());
            }
            fits
        })
        .collect();
    if let Some(first) = others.first() {
        let what = match others.len() {
            1 => format!("whether `{first}` can be loaded"),
            count => format!("whether `{first}` and {} others can be loaded", count - 1),
        };
        report.not_checked(&what, "only another Python than the environment's would load it");
    }
    let troubles: Vec<Vec<Trouble>> =
        roots.par_iter().map(|root| load(root, &base, inspection)).collect();
    let loads = |troubles: &[Trouble]| {
        !troubles.iter().any(|trouble| matches!(trouble, Trouble::Missing { .. }))
    };
    let imported = || roots.iter().zip(&troubles).filter(|(root, _)| root.imported);
    let fail = imported().filter(|(_, troubles)| !loads(troubles));
    let is_wanted = |root: &Root<'_>| {
        let name = root.module.and_then(|module| module.import_name.as_ref());
        name.is_some_and(|name| wishes.modules.contains(name))
    };
    report.must_load =
        fail.clone().any(|(root, _)| is_wanted(root)) || 2 * fail.count() >= imported().count();
    troubles.into_iter().flatten().for_each(|trouble| report.add(trouble));
    report.finish(findings, not_checked);
}

fn uses_python(inspection: &Inspection) -> bool {
    let symbols = inspection.modules.iter().flat_map(|module| &module.linkage.undefined);
    symbols.into_iter().any(|symbol| owner::is_python(&symbol.name))
}

/// A file that is loaded by its name, not because another needs it.
struct Root<'a> {
    library: Arc<Library>,
    module: Option<&'a NativeModule>,
    /// Whether Python loads it when something is imported.
    imported: bool,
}

fn roots<'a>(inspection: &'a Inspection, files: &Files<'_>) -> Vec<Root<'a>> {
    let needed: BTreeSet<&str> =
        inspection.modules.iter().flat_map(|module| &module.needed).map(String::as_str).collect();
    let root = |library: &Arc<Library>| {
        let path = library.in_wheel.as_deref();
        let module = inspection.modules.iter().find(|module| Some(module.path.as_str()) == path);
        let file_name = library.path.file_name().unwrap_or_default();
        let imported = module.is_some_and(|module| module.import_name.is_some())
            || !file_name.starts_with("lib")
                && path.is_some_and(|path| crate::elf::python_name(path).is_some());
        let is_needed = needed.contains(file_name)
            || library.linkage.soname.as_deref().is_some_and(|name| needed.contains(name));
        (imported || !is_needed).then(|| Root { library: Arc::clone(library), module, imported })
    };
    files.of_wheel().filter_map(root).collect()
}

/// Loads a file and looks for every symbol of what the wheel brings with it.
fn load(root: &Root<'_>, base: &Base<'_>, inspection: &Inspection) -> Vec<Trouble> {
    let mut process = base.process.clone();
    let opened = process.open(&root.library, &base.files);
    let mut troubles = Vec::new();
    let own =
        |needing: &[Arc<Library>]| needing.iter().find_map(|library| library.in_wheel.clone());
    for (name, needing) in &opened.missing {
        if let Some(module) = own(needing) {
            troubles.push(Trouble::Missing {
                library: name.clone(),
                module,
                imported: root.imported,
            });
        }
    }
    for (name, needing) in &opened.astray {
        if let Some(module) = own(needing) {
            let found = base.files.anywhere(name).map(|path| path.to_string()).unwrap_or_default();
            troubles.push(Trouble::Astray { library: name.clone(), module, found });
        }
    }
    let scope = Scope { process: &process, opened: &opened, base };
    for library in opened.scope.iter().filter(|library| library.in_wheel.is_some()) {
        for name in &library.linkage.needed {
            let Some(needed) = process.named(name) else { continue };
            for version in library.linkage.lacking_versions(&needed.linkage, name) {
                troubles.push(Trouble::Version {
                    version: version.to_owned(),
                    library: name.clone(),
                    module: library.name().to_owned(),
                });
            }
        }
        for symbol in &library.linkage.undefined {
            let Some(fate) = scope.fate(library, symbol, inspection) else { continue };
            troubles.push(Trouble::Symbol {
                symbol: symbol.clone(),
                module: library.name().to_owned(),
                imported: root.imported,
                fate,
            });
        }
    }
    troubles
}

/// What becomes of a symbol that the loader does not find.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Nothing that is known defines it.
    Nowhere,
    /// A library defines it that is not searched, of the wheel or of others.
    OutOfScope { provider: String, of_wheel: bool },
    /// A library that is missing may define it.
    Open,
}

struct Scope<'a> {
    process: &'a Process,
    opened: &'a Opened,
    base: &'a Base<'a>,
}

impl Scope<'_> {
    /// `None` where it is found, or is a matter of those who judge system libraries.
    fn fate(&self, library: &Library, symbol: &Undefined, inspection: &Inspection) -> Option<Fate> {
        if system::is_optional(&symbol.name) {
            return None;
        }
        let from = symbol.version.as_ref().map(|need| need.library.as_str());
        if from.is_some_and(|name| system::is_system(name) || system::is_driver(name)) {
            return None;
        }
        let mut searched = self.process.global.iter().chain(&self.opened.scope);
        if searched.any(|library| library.linkage.provides(symbol)) {
            return None;
        }
        if from.is_some_and(|name| self.opened.missing.contains_key(name)) {
            return Some(Fate::Open);
        }
        let opaque = self.process.opaque.iter().chain(&self.opened.opaque);
        if system::may_provide(&symbol.name, opaque, &library.linkage.needed) {
            return None;
        }
        if !self.base.python && owner::is_python(&symbol.name) {
            return None;
        }
        // Where a library is missing, only those are known to lack a symbol who would have it.
        let known = match owner::read(&symbol.name).owner {
            Owner::Torch | Owner::TorchShim => self.base.torch && torch::links_torch(inspection),
            Owner::Python => self.base.python,
            _ => false,
        };
        if !known && !self.opened.missing.is_empty() {
            return Some(Fate::Open);
        }
        let elsewhere = self.process.libraries().chain(self.base.files.of_wheel());
        // The same one each time, whoever is asked first.
        let provider = elsewhere
            .filter(|library| library.linkage.provides(symbol))
            .min_by(|one, other| one.path.cmp(&other.path));
        Some(provider.map_or(Fate::Nowhere, |provider| Fate::OutOfScope {
            provider: provider.name().to_owned(),
            of_wheel: provider.in_wheel.is_some(),
        }))
    }
}
