//! Reads a wheel once and says what it is.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};
use wheelmill_model::{Digest, TagError, WheelFilename};

use crate::contents::Contents;
use crate::elf::Machine;
use crate::error::WheelError;
use crate::finding::Findings;
use crate::inspection::{Inspection, NativeModule};
use crate::limits::Limits;
use crate::metadata::{WheelFile, read_metadata};
use crate::record::Record;
use crate::zip::{Archive, FileSource, Refusal, Source};
use crate::{layout, names, rules, zip};

/// How a wheel is inspected.
#[derive(Clone, Debug, Default)]
pub struct InspectOptions {
    /// Whether every image of device code is unpacked and checked, not only listed.
    pub deep: bool,
    /// How much the wheel may cost to read.
    pub limits: Limits,
    /// A folder for large modules while they are looked at; nameless files, gone when done. Without
    /// one they are held in memory.
    pub scratch: Option<Utf8PathBuf>,
}

/// Reads a wheel.
///
/// # Errors
/// When the file cannot be read as a wheel at all: see [`WheelError`]. What is wrong within a
/// readable wheel is among the findings.
pub fn inspect(file: &Utf8Path, options: &InspectOptions) -> Result<Inspection, WheelError> {
    let open_error = |source| WheelError::Open { file: file.to_owned(), source };
    // Asked before opening: opening a pipe would wait for somebody to write to it.
    let kind = file.metadata().map_err(open_error)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a folder" } else { "a device or a pipe" };
        return Err(WheelError::NotAFile { file: file.to_owned(), what });
    }
    let opened = std::fs::File::open(file).map_err(open_error)?;
    let size = opened.metadata().map_err(open_error)?.len();
    inspect_source(file, &FileSource { file: opened, size }, options)
}

/// As [`inspect`], for a wheel that is at hand in memory under the given file name.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_bytes(
    file_name: &str,
    bytes: &[u8],
    options: &InspectOptions,
) -> Result<Inspection, WheelError> {
    inspect_source(Utf8Path::new(file_name), &bytes, options)
}

fn inspect_source(
    file: &Utf8Path,
    source: &dyn Source,
    options: &InspectOptions,
) -> Result<Inspection, WheelError> {
    let file_name = file.file_name().unwrap_or_default();
    let file_name: WheelFilename = file_name
        .parse()
        .map_err(|source: TagError| WheelError::Name { file: file.to_owned(), source })?;
    if source.size() == 0 {
        return Err(WheelError::Empty { file: file.to_owned() });
    }
    let Archive { entries, mut findings } =
        zip::open(source, &options.limits).map_err(|refusal| refused(file, refusal))?;
    let not_a_wheel = |reason| WheelError::NotAWheel { file: file.to_owned(), reason };
    let files = || entries.iter().filter(|entry| !entry.is_folder()).map(|entry| &*entry.name);

    let contents = Contents { file, source, entries: &entries, options };
    let dist_info = layout::dist_info(files()).map_err(not_a_wheel)?;
    let text = |name: &str, findings: &mut Findings| {
        contents.text(&format!("{dist_info}/{name}"), findings)
    };
    let metadata = text("METADATA", &mut findings)?
        .ok_or_else(|| not_a_wheel(format!("{dist_info} holds no METADATA that can be read")))?;
    let metadata = read_metadata(&metadata, &mut findings).map_err(not_a_wheel)?;
    let wheel = match text("WHEEL", &mut findings)? {
        Some(text) => WheelFile::read(&text, &mut findings),
        None => {
            findings.add(rules::WHEEL_MISSING, dist_info.clone());
            WheelFile::default()
        }
    };
    let record =
        text("RECORD", &mut findings)?.map(|text| Record::read(&text, &dist_info, &mut findings));
    match &record {
        Some(record) => record.compare_names(files(), &mut findings),
        None => findings.add(rules::RECORD_MISSING, dist_info.clone()),
    }
    if let Some(text) = text("entry_points.txt", &mut findings)? {
        layout::check_entry_points(&text, &mut findings);
    }
    names::check(&file_name, &dist_info, &metadata, &wheel, &mut findings);
    layout::check(&file_name.name, files(), &mut findings);

    let (digest, read) =
        rayon::join(|| digest(source), || contents.read_all(record.as_ref(), &mut findings));
    let digest = digest.map_err(|source| WheelError::Read { file: file.to_owned(), source })?;
    let (modules, device_files) = read?;
    check_native(&file_name, &wheel, &modules, &mut findings);
    Ok(Inspection {
        size: source.size(),
        digest,
        metadata,
        wheel_tags: wheel.tags,
        root_is_purelib: wheel.root_is_purelib,
        entries: entries.len(),
        unpacked_size: entries.iter().map(|entry| entry.size).sum(),
        modules,
        device_files,
        findings: findings.finish(),
        deep: options.deep,
        files: files().map(str::to_owned).collect(),
        file_name,
    })
}

fn refused(file: &Utf8Path, refusal: Refusal) -> WheelError {
    let file = file.to_owned();
    match refusal {
        Refusal::Io(source) => WheelError::Read { file, source },
        Refusal::NotAnArchive(reason) => WheelError::NotAWheel { file, reason },
        Refusal::Unsafe(reason) => WheelError::Unsafe { file, reason },
    }
}

/// SHA-256 of the whole file.
fn digest(source: &dyn Source) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < source.size() {
        let length = (source.size() - offset).min(buffer.len() as u64);
        let chunk = &mut buffer[..length as usize];
        source.read_exact_at(chunk, offset)?;
        hasher.update(chunk);
        offset += length;
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

/// Holds the native modules against the tags of the file name and the words of WHEEL.
fn check_native(
    file_name: &WheelFilename,
    wheel: &WheelFile,
    modules: &[NativeModule],
    findings: &mut Findings,
) {
    let platforms = || file_name.tags.iter().map(|tag| tag.platform.as_str());
    if platforms().all(|platform| platform == "any") {
        for module in modules {
            findings.add(rules::TAG_ANY, module.path.clone());
        }
    }
    if wheel.root_is_purelib {
        for module in modules.iter().filter(|module| !module.path.contains(".data/platlib/")) {
            findings.add(rules::TAG_PURE, module.path.clone());
        }
    }
    let promised: Vec<Machine> = platforms().filter_map(Machine::of_platform).collect();
    for module in modules {
        if !promised.is_empty() && !promised.contains(&module.machine) {
            findings.add(rules::ELF_MACHINE, format!("{}: {}", module.path, module.machine));
        }
        let relocatable = module.device_code.iter().all(|container| container.relocatable);
        if relocatable && !module.device_code.is_empty() {
            findings.add(rules::DEVICE_UNLINKED, module.path.clone());
        }
        let name = module.path.rsplit('/').next().unwrap_or_default();
        if is_driver(name) || module.soname.as_deref().is_some_and(is_driver) {
            findings.add(rules::ELF_DRIVER, module.path.clone());
        }
    }
}

/// Whether a name is that of a library that comes with the driver and must match the kernel's
/// part of it. Repair tools put a hash into the name: `libcuda-1a2b3c4d.so.1`.
fn is_driver(name: &str) -> bool {
    ["libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"].iter().any(|driver| {
        name.strip_prefix(driver).is_some_and(|rest| {
            let hash = rest.strip_prefix('-').and_then(|rest| rest.split_once('.'));
            let rest = match hash {
                Some((hash, _)) if hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    &rest[hash.len() + 1..]
                }
                _ => rest,
            };
            rest == ".so" || rest.starts_with(".so.")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_known_under_its_names() {
        for name in ["libcuda.so.1", "libcuda-1a2b3c4d.so.550.54.14", "libnvidia-ml.so.1"] {
            assert!(is_driver(name), "{name}");
        }
        for name in
            ["libcudart.so.13", "libcuda_utils.so", "libcudart-0a1b.so.12", "libcudadevrt.so"]
        {
            assert!(!is_driver(name), "{name}");
        }
    }
}
