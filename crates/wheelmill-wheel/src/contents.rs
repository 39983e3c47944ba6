//! Reads what a wheel holds: each entry is unpacked once, and everything that wants to know its
//! bytes looks at them then.

use std::fs::File;
use std::io;

use camino::Utf8Path;
use memmap2::Mmap;
use rayon::prelude::*;

use crate::device::{self, DeviceFile, DeviceFormat};
use crate::elf;
use crate::error::WheelError;
use crate::finding::Findings;
use crate::inspect::InspectOptions;
use crate::inspection::NativeModule;
use crate::record::{Record, base64};
use crate::rules;
use crate::zip::{Algorithm, Content, ContentError, Entry, Keep, Kept, Reader, Source};

/// Modules up to this many bytes are held in memory although there is a scratch folder.
const IN_MEMORY: u64 = 32 << 20;

/// The entries of one wheel.
pub(crate) struct Contents<'a> {
    pub(crate) file: &'a Utf8Path,
    pub(crate) source: &'a dyn Source,
    pub(crate) entries: &'a [Entry],
    pub(crate) options: &'a InspectOptions,
}

impl Contents<'_> {
    /// The text of a file; `None` when it is not there or cannot be unpacked.
    pub(crate) fn text(
        &self,
        name: &str,
        findings: &mut Findings,
    ) -> Result<Option<String>, WheelError> {
        let entry = self.entries.iter().find(|entry| entry.name == name && entry.readable);
        let Some(entry) = entry else { return Ok(None) };
        if entry.size > self.options.limits.text {
            return Err(WheelError::Unsafe {
                file: self.file.to_owned(),
                reason: format!("its {name} has {} bytes", entry.size),
            });
        }
        let reader = Reader { source: self.source };
        match reader.read(entry, Algorithm::Sha256, Keep::All) {
            Ok(Content { kept: Kept::Memory(bytes), .. }) => {
                Ok(Some(String::from_utf8(bytes).unwrap_or_else(|error| {
                    findings.add(rules::TEXT_ENCODING, name);
                    String::from_utf8_lossy(error.as_bytes()).into_owned()
                })))
            }
            // The pass over all entries says what is wrong with it.
            Ok(_) | Err(ContentError::Damaged(_)) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Unpacks everything, checks it against the archive and RECORD, and describes the native
    /// modules and the files of GPU code.
    pub(crate) fn read_all(
        &self,
        record: Option<&Record>,
        findings: &mut Findings,
    ) -> Result<(Vec<NativeModule>, Vec<DeviceFile>), WheelError> {
        // The largest first, so that none is left for one thread alone at the end.
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(self.entries[*index].size));
        let mut read = order
            .into_par_iter()
            .with_max_len(1)
            .map(|index| {
                let mut findings = Findings::default();
                let found = self.read_entry(&self.entries[index], record, &mut findings)?;
                Ok((index, found, findings))
            })
            .collect::<Result<Vec<_>, WheelError>>()?;
        read.sort_by_key(|(index, ..)| *index);
        let (mut modules, mut files) = (Vec::new(), Vec::new());
        for (_, found, own) in read {
            match found {
                Some(Found::Module(module)) => modules.push(module),
                Some(Found::DeviceFile(file)) => files.push(file),
                None => {}
            }
            findings.append(own);
        }
        modules.sort_by(|one, other| one.path.cmp(&other.path));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok((modules, files))
    }

    fn read_entry(
        &self,
        entry: &Entry,
        record: Option<&Record>,
        findings: &mut Findings,
    ) -> Result<Option<Found>, WheelError> {
        if !entry.readable || entry.is_folder() {
            return Ok(None);
        }
        let name = &entry.name;
        let row = record.and_then(|record| record.row(name));
        let hash = row.and_then(|row| row.hash.as_ref());
        let algorithm = hash.map_or(Algorithm::Sha256, |hash| hash.algorithm);
        let scratch = || self.scratch_file();
        let is_text = DeviceFormat::is_ptx(name) && entry.size <= self.options.limits.text;
        let keep = if is_text {
            Keep::All
        } else {
            Keep::Starting {
                with: &[elf::MAGIC, DeviceFormat::FATBIN_MAGIC],
                memory: IN_MEMORY,
                scratch: self.options.scratch.is_some().then_some(&scratch),
            }
        };
        let content = match (Reader { source: self.source }).read(entry, algorithm, keep) {
            Ok(content) => content,
            Err(ContentError::Damaged(reason)) => {
                findings.add(rules::ZIP_DATA, format!("{name}: {reason}"));
                return Ok(None);
            }
            Err(error) => return Err(self.failed(error)),
        };
        if content.size != entry.size {
            let more = if content.size > entry.size { "more" } else { "fewer" };
            let line = format!("{name}: {more} than the {} bytes announced", entry.size);
            findings.add(rules::ZIP_SIZE, line);
            return Ok(None);
        }
        if content.crc != entry.crc {
            findings.add(rules::ZIP_CRC, name.clone());
        }
        if let Some(hash) = hash
            && hash.value != base64(&content.digest)
        {
            findings.add(rules::RECORD_HASH, name.clone());
        }
        if let Some(size) = row.and_then(|row| row.size)
            && size != content.size
        {
            let line = format!("{name}: {size} bytes in RECORD, {} in the wheel", content.size);
            findings.add(rules::RECORD_SIZE, line);
        }
        match content.kept {
            Kept::Nothing => {
                if elf::is_python_module(name) {
                    findings.add(rules::ELF_NONE, name.clone());
                }
                Ok(None)
            }
            Kept::Memory(bytes) => Ok(self.look_at(name, &bytes, findings)),
            Kept::Scratch(file) => {
                let bytes =
                    map(&file).map_err(|error| self.failed(ContentError::Scratch(error)))?;
                Ok(self.look_at(name, &bytes, findings))
            }
        }
    }

    fn look_at(&self, name: &str, bytes: &[u8], findings: &mut Findings) -> Option<Found> {
        match DeviceFormat::of(name, bytes) {
            Some(format) => {
                let file = device::read_file(name, format, bytes, self.options, findings);
                Some(Found::DeviceFile(file))
            }
            None => elf::read(name, bytes, self.options, findings).map(Found::Module),
        }
    }

    fn scratch_file(&self) -> io::Result<File> {
        match &self.options.scratch {
            Some(folder) => tempfile::tempfile_in(folder),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn failed(&self, error: ContentError) -> WheelError {
        WheelError::content(self.file, self.options.scratch.as_deref(), error)
    }
}

/// What a file turned out to be.
enum Found {
    Module(NativeModule),
    DeviceFile(DeviceFile),
}

/// Maps a scratch file, so that only those parts of a large module are in memory that are looked
/// at.
#[allow(unsafe_code, reason = "mapping is the one way to look at gigabytes without holding them")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the file has no name and was opened by this process alone, so that nobody can
    // shorten or change it while it is mapped.
    unsafe { Mmap::map(file) }
}
