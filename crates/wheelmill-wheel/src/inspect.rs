//! Reads a wheel once and says what it is.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{TagError, WheelFilename};

use crate::contents::Contents;
use crate::error::WheelError;
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::limits::Limits;
use crate::metadata::{WheelFile, read_metadata};
use crate::record::Record;
use crate::zip::{Archive, FileSource, Source, digest};
use crate::{layout, names, native, rules, zip};

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
        zip::open(source, &options.limits).map_err(|refusal| WheelError::refused(file, refusal))?;
    let not_a_wheel = |reason| WheelError::NotAWheel { file: file.to_owned(), reason };
    let files = || entries.iter().filter(|entry| !entry.is_folder()).map(|entry| &*entry.name);

    let contents = Contents { file, source, entries: &entries, options };
    let dist_info = layout::dist_info(files()).map_err(not_a_wheel)?;
    let has = |name: &str| files().any(|file| file == format!("{dist_info}/{name}"));
    let text = |name: &str, findings: &mut Findings| {
        contents.text(&format!("{dist_info}/{name}"), findings)
    };
    let metadata = text("METADATA", &mut findings)?.ok_or_else(|| match has("METADATA") {
        true => WheelError::Damaged {
            file: file.to_owned(),
            reason: format!("{dist_info}/METADATA cannot be unpacked"),
        },
        false => not_a_wheel(format!("{dist_info} holds no METADATA")),
    })?;
    let metadata = read_metadata(&metadata, &mut findings).map_err(not_a_wheel)?;
    let wheel = match text("WHEEL", &mut findings)? {
        Some(text) => WheelFile::read(&text, &mut findings),
        None if has("WHEEL") => WheelFile::default(),
        None => {
            findings.add(rules::WHEEL_MISSING, dist_info.clone());
            WheelFile::default()
        }
    };
    let record =
        text("RECORD", &mut findings)?.map(|text| Record::read(&text, &dist_info, &mut findings));
    match &record {
        Some(record) => record.compare_names(files(), &mut findings),
        // What cannot be unpacked is told by the pass over all entries.
        None if has("RECORD") => {}
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
    native::check(&file_name, &wheel, &modules, &mut findings);
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
