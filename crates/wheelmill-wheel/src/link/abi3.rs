//! Whether what is tagged `abi3` keeps to Python's stable ABI.

use std::collections::BTreeMap;

use wheelmill_model::PythonVersion;

use super::owner::is_python;
use crate::elf::python_of;
use crate::finding::Findings;
use crate::inspection::{Inspection, NativeModule};
use crate::rules;

/// The stable ABI of Python on Linux (`Misc/stable_abi.toml` of python/cpython, as of 3.16's
/// beginnings). A line has the release that made its symbols stable; a second number is the first
/// release that exports them, where that is an earlier one (as seen in libpython 3.6 to 3.13).
const STABLE_ABI: &str = include_str!("stable_abi.txt");

struct Stable {
    /// The minor release that promised it.
    stable: u16,
    /// The minor release that first had it.
    exported: u16,
}

fn look_up(symbol: &str) -> Option<Stable> {
    STABLE_ABI.lines().find_map(|line| {
        let (releases, names) = line.split_once(": ")?;
        if !names.split(' ').any(|name| name == symbol) {
            return None;
        }
        let mut minors = releases
            .split(' ')
            .filter_map(|release| release.parse().ok().map(|version: PythonVersion| version.minor));
        let stable = minors.next()?;
        Some(Stable { stable, exported: minors.next().unwrap_or(stable) })
    })
}

/// Judges the modules of a wheel whose tags, or whose modules' names, promise the stable ABI.
pub(crate) fn check(inspection: &Inspection, findings: &mut Findings) {
    let floor = inspection
        .file_name
        .tags
        .iter()
        .filter(|tag| tag.abi == "abi3")
        .filter_map(|tag| tag.python.strip_prefix("cp3")?.parse::<u16>().ok())
        .min();
    let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
    for module in &inspection.modules {
        *alike.entry(stem(module)).or_default() += 1;
    }
    for module in &inspection.modules {
        let stable = module.path.ends_with(".abi3.so");
        if let Some(python) = made_for(module)
            && floor.is_some()
        {
            // The same module may be there for other Pythons, or for all of them.
            if alike.get(stem(module)) == Some(&1) {
                findings.add(rules::ABI3_MODULE, format!("{}: for {python} alone", module.path));
            }
        } else if stable || floor.is_some() && module.import_name.is_some() {
            check_symbols(module, floor, findings);
        }
    }
}

fn check_symbols(module: &NativeModule, floor: Option<u16>, findings: &mut Findings) {
    for symbol in module.linkage.undefined.iter().filter(|symbol| is_python(&symbol.name)) {
        let (path, name) = (&module.path, &symbol.name);
        match (look_up(name), floor) {
            (None, _) => findings.add(rules::ABI3_SYMBOL, format!("{path}: {name}, of no release")),
            (Some(known), Some(floor)) if known.exported > floor => {
                let line = format!("{path}: {name} is in Python 3.{} and later", known.exported);
                findings.add(rules::ABI3_TOO_NEW, line);
            }
            (Some(known), Some(floor)) if known.stable > floor => {
                let line = format!("{path}: {name}, since Python 3.{}", known.stable);
                findings.add(rules::ABI3_SYMBOL, line);
            }
            _ => {}
        }
    }
}

/// The one Python that a module's name is looked for by.
pub(crate) fn made_for(module: &NativeModule) -> Option<PythonVersion> {
    python_of(file_name(module))
}

fn file_name(module: &NativeModule) -> &str {
    module.path.rsplit('/').next().unwrap_or_default()
}

/// The path up to what differs between Pythons.
fn stem(module: &NativeModule) -> &str {
    let name = file_name(module);
    let ending = name.split_once('.').map_or(0, |(_, ending)| ending.len());
    &module.path[..module.path.len() - ending]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stable_abi_is_known_by_release() {
        let found = |name| look_up(name).map(|known| (known.stable, known.exported));
        assert_eq!(found("PyArg_ParseTuple"), Some((2, 2)));
        assert_eq!(found("PyObject_GetBuffer"), Some((11, 6)));
        assert_eq!(found("PyType_GetName"), Some((11, 11)));
        assert_eq!(found("_PyObject_GetDictPtr"), None);
        assert_eq!(found("PyErr_SetFromWindowsErr"), None);
    }
}
