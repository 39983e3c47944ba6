//! What lies where in a wheel: the `.dist-info` and `.data` folders, entry points, files that take
//! the place of others.

use std::collections::BTreeSet;

use wheelmill_model::PackageName;

use crate::finding::Findings;
use crate::rules;

/// The one `.dist-info` folder of a wheel, or what is wrong.
pub(crate) fn dist_info<'a>(files: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let folders: BTreeSet<&str> = files
        .filter_map(|file| file.split_once('/'))
        .map(|(folder, _)| folder)
        .filter(|folder| folder.ends_with(".dist-info"))
        .collect();
    let mut folders = folders.into_iter();
    match (folders.next(), folders.next()) {
        (Some(only), None) => Ok(only.to_owned()),
        (None, _) => Err("it has no .dist-info folder".to_owned()),
        (Some(one), Some(other)) => {
            Err(format!("it has two .dist-info folders, {one} and {other}"))
        }
    }
}

/// The parts of a `.data` folder that installers know (PyPA "Binary distribution format").
const SCHEMES: [&str; 5] = ["purelib", "platlib", "headers", "scripts", "data"];

/// Top-level names that belong to Python itself, or to packages that others only build against.
const OTHERS: &[(&str, &str)] = &[
    ("asyncio", "Python"),
    ("collections", "Python"),
    ("ctypes", "Python"),
    ("email", "Python"),
    ("encodings", "Python"),
    ("importlib", "Python"),
    ("json", "Python"),
    ("logging", "Python"),
    ("multiprocessing", "Python"),
    ("os", "Python"),
    ("re", "Python"),
    ("site", "Python"),
    ("subprocess", "Python"),
    ("sys", "Python"),
    ("typing", "Python"),
    ("unittest", "Python"),
    ("numpy", "numpy"),
    ("torch", "torch"),
    ("triton", "triton"),
];

/// Judges where files would be installed.
pub(crate) fn check<'a>(
    package: &PackageName,
    files: impl Iterator<Item = &'a str>,
    findings: &mut Findings,
) {
    let mut shadowed = BTreeSet::new();
    for file in files {
        let (top, rest) =
            file.split_once('/').map_or((file, None), |(top, rest)| (top, Some(rest)));
        let installed = match rest {
            Some(rest) if top.ends_with(".data") => {
                let (scheme, rest) = rest.split_once('/').unwrap_or((rest, ""));
                if !SCHEMES.contains(&scheme) {
                    findings.add(rules::LAYOUT_SCHEME, file);
                }
                if !matches!(scheme, "purelib" | "platlib") {
                    continue;
                }
                rest
            }
            _ => file,
        };
        if installed.ends_with(".pth") && !installed.contains('/') {
            findings.add(rules::LAYOUT_PTH, file);
        }
        let first = installed.split('/').next().unwrap_or_default();
        let module = first.split('.').next().unwrap_or_default();
        let is_module = first == module && installed.contains('/')
            || installed == first && matches!(first.rsplit('.').next(), Some("py" | "so"));
        let owner = OTHERS.iter().find(|(name, _)| *name == module).map(|(_, owner)| *owner);
        if let Some(owner) = owner.filter(|owner| is_module && *owner != package.as_str()) {
            shadowed.insert(format!("{module} of {owner}"));
        }
    }
    for line in shadowed {
        findings.add(rules::LAYOUT_SHADOW, line);
    }
}

/// Judges `entry_points.txt`: installers write a file for each script, under its name.
pub(crate) fn check_entry_points(text: &str, findings: &mut Findings) {
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_owned();
            continue;
        }
        let Some((name, _)) = line.split_once('=') else {
            findings.add(rules::LAYOUT_ENTRY_SYNTAX, line);
            continue;
        };
        let name = name.trim();
        let is_script = matches!(section.as_str(), "console_scripts" | "gui_scripts");
        if is_script && (name.contains(['/', '\\', '\0']) || matches!(name, "" | "." | "..")) {
            findings.add(rules::LAYOUT_ENTRY_POINT, format!("[{section}] {name}"));
        }
    }
}
