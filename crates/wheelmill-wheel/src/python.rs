//! Which Pythons a wheel is for: by its tags, and by its Requires-Python. Installers want both.

use wheelmill_model::{PythonVersion, Version, VersionSpecifiers, WheelTag};

use crate::elf::python_of;
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::rules;

/// Later than any patch release that will be: who asks for `3.11` means the newest one.
const NEWEST_PATCH: u64 = 99;

/// The minor releases of Python 3 that a wheel's claims are tried with.
const MINORS: std::ops::Range<u16> = 0..100;

/// Judges the wheel by the Python that was wanted, and by itself alone: a wheel whose two claims
/// exclude each other is refused by installers on every Python.
pub(crate) fn check(
    inspection: &Inspection,
    wanted: Option<PythonVersion>,
    findings: &mut Findings,
) {
    let name = &inspection.file_name;
    let tagged = |python| name.tags.iter().any(|tag| fits(tag, python));
    let written = inspection.metadata.requires_python.as_deref();
    // What cannot be read has a finding of its own.
    let required: Option<VersionSpecifiers> = written.and_then(|text| text.parse().ok());
    let let_through = |python| required.as_ref().is_none_or(|required| admits(required, python));
    let written = written.unwrap_or_default();

    let pythons: Vec<PythonVersion> = std::iter::once(PythonVersion::new(2, 7))
        .chain(MINORS.map(|minor| PythonVersion::new(3, minor)))
        .filter(|python| tagged(*python))
        .collect();
    // Tags that are for no CPython at all, as PyPy's, are not judged.
    if !pythons.is_empty() && !pythons.iter().any(|python| let_through(*python)) {
        let line = format!("{name} says Requires-Python {written}");
        findings.add(rules::TAG_REQUIRES_PYTHON, line);
    }
    check_modules(inspection, findings);
    if let Some(python) = wanted {
        if !tagged(python) {
            findings.add(rules::WANTED_PYTHON, format!("{name} does not fit Python {python}"));
        }
        if !let_through(python) {
            let line = format!("Requires-Python {written} leaves out Python {python}");
            findings.add(rules::WANTED_REQUIRES_PYTHON, line);
        }
    }
}

/// Judges the modules that are for one Python each: a wheel with such is for the Pythons of its tags.
/// Tags for several Pythons promise nothing of single modules.
fn check_modules(inspection: &Inspection, findings: &mut Findings) {
    let mut tagged = inspection.file_name.tags.iter().map(|tag| (&tag.python, &tag.abi));
    if !tagged.all(|(python, abi)| python == abi && python.starts_with("cp")) {
        return;
    }
    let of_module = |path: &'_ String| {
        python_of(path.rsplit('/').next().unwrap_or_default()).map(|python| (python, path.clone()))
    };
    let modules: Vec<(PythonVersion, String)> =
        inspection.files.iter().filter_map(of_module).collect();
    let fits = |python: &PythonVersion| {
        inspection.file_name.tags.iter().any(|tag| tag.python == python.tag())
    };
    if !modules.iter().any(|(python, _)| fits(python)) {
        for (_, path) in modules {
            findings.add(rules::TAG_MODULE_PYTHON, path);
        }
    }
}

/// Whether Requires-Python lets the newest patch of a release through.
fn admits(required: &VersionSpecifiers, python: PythonVersion) -> bool {
    required.contains(&Version::new([python.major.into(), python.minor.into(), NEWEST_PATCH]))
}

/// Whether CPython of that version takes the tag (PEP 425, PEP 384 for `abi3`).
fn fits(tag: &WheelTag, python: PythonVersion) -> bool {
    let own = python.tag();
    let (implementation, number) = tag.python.split_at_checked(2).unwrap_or(("", ""));
    let digits = number.strip_prefix(&python.major.to_string());
    // `py3` and `cp3` mean any 3.x; `py39` means 3.9 and later.
    let minor =
        digits.and_then(|digits| if digits.is_empty() { Some(0) } else { digits.parse().ok() });
    let not_newer = minor.is_some_and(|minor: u16| minor <= python.minor);
    match (implementation, tag.abi.as_str()) {
        ("cp", "abi3") | ("py", "none") => not_newer,
        ("cp", "none") => tag.python == own || tag.python == format!("cp{}", python.major),
        ("cp", abi) => tag.python == own && abi == own,
        _ => false,
    }
}
