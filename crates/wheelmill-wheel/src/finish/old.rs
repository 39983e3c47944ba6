//! The wheel as it was built, read strictly: what is damaged goes no further.

use std::fs::File;
use std::io;

use camino::Utf8Path;
use wheelmill_model::{TagError, WheelFilename};

use super::content::{Bytes, Content, SMALL};
use super::error::FinishError;
use crate::error::WheelError;
use crate::finding::{Findings, Severity};
use crate::limits::Limits;
use crate::metadata::{WheelFile, read_metadata};
use crate::record::{Record, base64};
use crate::zip::{self, Algorithm, Entry, FileSource, Keep, Kept, Reader};
use crate::{layout, names, rules};

/// The wheel as it was, read and found sound but for the contents of its files.
pub(super) struct Old<'a> {
    pub(super) path: &'a Utf8Path,
    pub(super) name: WheelFilename,
    source: FileSource,
    pub(super) entries: Vec<Entry>,
    pub(super) dist_info: String,
    pub(super) metadata: String,
    record: Record,
}

impl<'a> Old<'a> {
    pub(super) fn open(path: &'a Utf8Path) -> Result<Self, FinishError> {
        let open = |source| WheelError::Open { file: path.to_owned(), source };
        let name: WheelFilename = path
            .file_name()
            .unwrap_or_default()
            .parse()
            .map_err(|source: TagError| WheelError::Name { file: path.to_owned(), source })?;
        if !path.metadata().map_err(open)?.is_file() {
            let what = "a folder, a device or a pipe";
            return Err(WheelError::NotAFile { file: path.to_owned(), what }.into());
        }
        let file = File::open(path).map_err(open)?;
        let size = file.metadata().map_err(open)?.len();
        let source = FileSource { file, size };
        let limits = Limits::default();
        let zip::Archive { entries, mut findings } =
            zip::open(&source, &limits).map_err(|refusal| WheelError::refused(path, refusal))?;
        let not_a_wheel = |reason| WheelError::NotAWheel { file: path.to_owned(), reason };
        let files = || entries.iter().filter(|entry| !entry.is_folder()).map(|it| &*it.name);
        let dist_info = layout::dist_info(files()).map_err(not_a_wheel)?;
        let text = |name: &str| -> Result<String, FinishError> {
            let name = format!("{dist_info}/{name}");
            let missing = || not_a_wheel(format!("it has no {name} that can be read"));
            let entry = entries.iter().find(|entry| entry.name == name && entry.readable);
            let entry = entry.filter(|entry| entry.size <= limits.text).ok_or_else(missing)?;
            let content = Reader { source: &source }.read(entry, Algorithm::Sha256, Keep::All);
            match content.map_err(|error| WheelError::content(path, None, error))?.kept {
                Kept::Memory(bytes) => Ok(String::from_utf8(bytes).map_err(|_| missing())?),
                _ => Err(missing().into()),
            }
        };
        let metadata = text("METADATA")?;
        let (papers, record) = (text("WHEEL")?, text("RECORD")?);
        let core = read_metadata(&metadata, &mut findings).map_err(not_a_wheel)?;
        let papers = WheelFile::read(&papers, &mut findings);
        let record = Record::read(&record, &dist_info, &mut findings);
        record.compare_names(files(), &mut findings);
        names::check(&name, &dist_info, &core, &papers, &mut findings);
        layout::check(&name.name, files(), &mut findings);
        sound(path, findings)?;
        Ok(Self { path, name, source, entries, dist_info, metadata, record })
    }

    /// Reads an entry whole, and holds it against the directory and RECORD.
    pub(super) fn read(
        &self,
        entry: &Entry,
        spool: Option<&Utf8Path>,
    ) -> Result<Content, FinishError> {
        let reader = Reader { source: &self.source };
        let make = || match spool {
            Some(folder) => tempfile::tempfile_in(folder),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        let scratch: Option<&(dyn Fn() -> io::Result<File> + Sync)> =
            if spool.is_some() { Some(&make) } else { None };
        let keep = Keep::Starting { with: &[b""], memory: SMALL, scratch };
        let read = reader.read(entry, Algorithm::Sha256, keep);
        let content = read.map_err(|error| WheelError::content(self.path, spool, error))?;
        let mut findings = Findings::default();
        if content.size != entry.size {
            findings.add(rules::ZIP_SIZE, entry.name.clone());
        } else if content.crc != entry.crc {
            findings.add(rules::ZIP_CRC, entry.name.clone());
        }
        let row = self.record.row(&entry.name);
        if let Some(hash) = row.and_then(|row| row.hash.as_ref()) {
            let found = match hash.algorithm {
                Algorithm::Sha256 => base64(&content.digest),
                other => {
                    let nothing = Keep::Starting { with: &[], memory: 0, scratch: None };
                    let again = reader.read(entry, other, nothing);
                    base64(
                        &again
                            .map_err(|error| WheelError::content(self.path, spool, error))?
                            .digest,
                    )
                }
            };
            if found != hash.value {
                findings.add(rules::RECORD_HASH, entry.name.clone());
            }
        }
        if row.and_then(|row| row.size).is_some_and(|size| size != content.size) {
            findings.add(rules::RECORD_SIZE, entry.name.clone());
        }
        sound(self.path, findings)?;
        let bytes = match content.kept {
            Kept::Nothing => Bytes::Memory(Vec::new()),
            Kept::Memory(bytes) => Bytes::Memory(bytes),
            Kept::Scratch(file) => Bytes::Scratch(file),
        };
        Ok(Content { size: content.size, crc: content.crc, digest: content.digest, bytes })
    }
}

/// Refuses a wheel with errors.
fn sound(file: &Utf8Path, findings: Findings) -> Result<(), FinishError> {
    let mut findings = findings.finish();
    findings.retain(|finding| finding.severity == Severity::Error);
    if findings.is_empty() {
        return Ok(());
    }
    Err(FinishError::Damaged { file: file.to_owned(), findings })
}
