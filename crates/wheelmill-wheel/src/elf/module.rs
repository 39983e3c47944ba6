//! Describes one ELF file of a wheel.

use std::sync::Arc;

use wheelmill_model::PythonVersion;

use crate::device;
use crate::elf::facts;
use crate::elf::symbols::Linkage;
use crate::finding::{Finding, Findings};
use crate::inspect::InspectOptions;
use crate::inspection::NativeModule;
use crate::rules;

/// Describes one shared object that is at hand in memory, as [`inspect`](crate::inspect) does for
/// those in a wheel. `path` is where it would lie in a wheel. There is no module when the bytes
/// are no ELF file; the findings say why.
#[must_use]
pub fn read_module(
    path: &str,
    bytes: &[u8],
    options: &InspectOptions,
) -> (Option<NativeModule>, Vec<Finding>) {
    let mut findings = Findings::default();
    let module = read(path, bytes, options, &mut findings);
    (module, findings.finish())
}

/// As [`read_module`], adding to findings that are being gathered.
pub(crate) fn read(
    path: &str,
    bytes: &[u8],
    options: &InspectOptions,
    findings: &mut Findings,
) -> Option<NativeModule> {
    let facts = match facts::read(bytes) {
        Ok(facts) => facts,
        Err(error) => {
            // A broken file that no loader would be asked for may be somebody's test data.
            if is_library(path) {
                findings.add(rules::ELF_DAMAGED, format!("{path}: {error}"));
            }
            return None;
        }
    };
    let import_name = python_name(path).filter(|name| {
        let last = name.rsplit('.').next().unwrap_or_default();
        facts.init_functions.iter().any(|module| module == last)
    });
    let linkage = match Linkage::read(bytes) {
        Ok(linkage) => linkage,
        Err(error) => {
            if is_library(path) {
                findings.add(rules::ELF_DAMAGED, format!("{path}: {error}"));
            }
            return None;
        }
    };
    let device_code = device::read(path, bytes, &facts.device_sections, options, findings);
    Some(NativeModule {
        path: path.to_owned(),
        import_name,
        size: bytes.len() as u64,
        machine: facts.machine,
        soname: facts.soname,
        needed: facts.needed,
        rpath: facts.rpath,
        runpath: facts.runpath,
        symbol_versions: facts.symbol_versions,
        driver_functions: facts.driver_functions,
        properties: facts.properties,
        device_code,
        linkage: Arc::new(linkage),
    })
}

/// Whether a loader would take the file by its name: `x.so`, `libx.so.1.2`.
fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split_once(".so").is_some_and(|(_, rest)| {
        rest.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Whether Python would load the file when something is imported, by its name alone.
pub(crate) fn is_python_module(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let own = name.ends_with(".abi3.so") || python_of(name).is_some();
    own && python_name(path).is_some()
}

/// The one Python that loads a module of this file name: 3.11 of
/// `x.cpython-311-x86_64-linux-gnu.so`.
pub(crate) fn python_of(file_name: &str) -> Option<PythonVersion> {
    let (_, ending) = file_name.strip_suffix(".so")?.split_once(".cpython-")?;
    let digits = ending.split('-').next()?;
    let (major, minor) = digits.split_at_checked(1)?;
    format!("{major}.{minor}").parse().ok()
}

/// The dotted name that a file would be imported by, from its path alone: the endings are those
/// that CPython on Linux looks for. Files of a `.data` folder count from their scheme.
pub(crate) fn python_name(path: &str) -> Option<String> {
    let path = installed_path(path)?;
    let (folder, file) = path.rsplit_once('/').map_or(("", path), |(folder, file)| (folder, file));
    let (stem, ending) = file.split_once('.')?;
    let is_extension = ending == "so"
        || ending == "abi3.so"
        || ending.strip_suffix(".so").is_some_and(|rest| rest.starts_with("cpython-"));
    if !is_extension {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    parts.push(stem);
    parts.iter().all(|part| is_identifier(part)).then(|| parts.join("."))
}

/// Where a file of a wheel lies once installed, if that is on Python's path.
pub(crate) fn installed_path(path: &str) -> Option<&str> {
    match path.split_once('/') {
        Some((top, rest)) if top.ends_with(".data") => {
            rest.strip_prefix("purelib/").or_else(|| rest.strip_prefix("platlib/"))
        }
        _ => Some(path),
    }
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_imported_by_the_names_python_gives_them() {
        let name = |path| python_name(path);
        for (path, wanted) in [
            (
                "torchsort/isotonic_cuda.cpython-311-x86_64-linux-gnu.so",
                Some("torchsort.isotonic_cuda"),
            ),
            ("x-1.data/platlib/a/b.abi3.so", Some("a.b")),
            ("_C.so", Some("_C")),
            ("lib/libfoo.so.1", None),
            ("lib/foo-bar.so", None),
            ("x-1.data/data/a/b.so", None),
            ("a/b.pypy311-pp73-x86_64-linux-gnu.so", None),
        ] {
            assert_eq!(name(path).as_deref(), wanted, "{path}");
        }
    }
}
