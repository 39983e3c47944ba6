//! The procedure: the wheel is read strictly, and written in one pass.

use std::fs::File;
use std::io;

use camino::Utf8Path;
use rayon::prelude::*;

use super::archive::{Archive, Member};
use super::content::{Bytes, Content, SMALL};
use super::error::FinishError;
use super::new::New;
use super::old::Old;
use super::options::{Finish, Finished};
use crate::record::{base64, csv_field};
use crate::zip::{Entry, FileSource, digest};

/// The bytes of small files that are in memory at once.
const TOGETHER: u64 = 96 << 20;

/// Reads a wheel and writes it anew into a folder, under the file name that it then has. A file of
/// that name is replaced. The same input gives the same bytes on every machine.
///
/// Entries are sorted, those of `.dist-info` last and RECORD at the very end; times and modes are
/// fixed (executables stay executable); folders and signatures of the old RECORD are left out.
///
/// # Errors
/// The wheel is damaged or unsafe, cannot be labelled or pinned as wished, or the new one cannot be
/// written: see [`FinishError`]. Nothing is written then.
pub fn finish(wheel: &Utf8Path, wishes: &Finish, into: &Utf8Path) -> Result<Finished, FinishError> {
    let old = Old::open(wheel)?;
    let new = New::of(&old, wishes)?;
    let path = into.join(&new.file_name);
    let write = |source| FinishError::Write { path: path.clone(), source };
    let temporary = tempfile::NamedTempFile::new_in(into).map_err(write)?;
    let file = temporary.as_file().try_clone().map_err(write)?;
    let mut writing = Writing {
        old: &old,
        archive: Archive::new(file, wishes.epoch),
        record: String::new(),
        into,
    };
    writing.all(&new)?;
    let (file, size) = writing.archive.finish().map_err(write)?;
    file.sync_all().map_err(write)?;
    let source = FileSource { file, size };
    let digest = digest(&source).map_err(write)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    source.file.set_permissions(mode).map_err(write)?;
    temporary.persist(&path).map_err(|error| write(error.error))?;
    File::open(into).and_then(|folder| folder.sync_all()).map_err(write)?;
    Ok(Finished { path, version: new.version, digest, size })
}

/// A file on its way into the new wheel.
struct Planned<'a> {
    name: String,
    entry: Option<&'a Entry>,
}

/// The new wheel while it is written.
struct Writing<'a> {
    old: &'a Old<'a>,
    archive: Archive,
    record: String,
    into: &'a Utf8Path,
}

impl Writing<'_> {
    fn all(&mut self, new: &New) -> Result<(), FinishError> {
        let old = self.old;
        let metadata = format!("{}/METADATA", new.dist_info);
        let mut files: Vec<Planned<'_>> = old
            .entries
            .iter()
            .filter(|entry| !entry.is_folder() && !New::is_renewed(old, &entry.name))
            .map(|entry| Planned { name: new.place(old, &entry.name), entry: Some(entry) })
            .collect();
        files.push(Planned { name: metadata, entry: None });
        let papers = |name: &str| {
            name.strip_prefix(&new.dist_info).is_some_and(|rest| rest.starts_with('/'))
        };
        files.sort_by(|one, other| {
            (papers(&one.name), &one.name).cmp(&(papers(&other.name), &other.name))
        });
        let mut rest = &files[..];
        while !rest.is_empty() {
            let batch;
            (batch, rest) = rest.split_at(together(rest));
            self.batch(batch, &new.metadata)?;
        }
        let name = format!("{}/RECORD", new.dist_info);
        self.record.extend([&*csv_field(&name), ",,\n"]);
        let content = Content::of(std::mem::take(&mut self.record).into_bytes());
        self.write(&name, false, &content, None)
    }

    /// Reads and packs small files side by side, or one large file block by block; they are
    /// written in their order.
    fn batch(&mut self, batch: &[Planned<'_>], metadata: &str) -> Result<(), FinishError> {
        let (old, into) = (self.old, self.into);
        let contents: Vec<(Content, Option<Vec<Vec<u8>>>)> = batch
            .par_iter()
            .map(|file| {
                let content = match file.entry {
                    Some(entry) => old.read(entry, (entry.size > SMALL).then_some(into))?,
                    None => Content::of(metadata.as_bytes().to_vec()),
                };
                let packed = match content.bytes {
                    Bytes::Memory(_) => {
                        let blocks = (0..content.blocks()).map(|number| content.packed(number));
                        Some(blocks.collect::<io::Result<_>>().map_err(|it| unwritten(into, it))?)
                    }
                    Bytes::Scratch(_) => None,
                };
                Ok((content, packed))
            })
            .collect::<Result<_, FinishError>>()?;
        for (file, (content, packed)) in batch.iter().zip(contents) {
            let executable =
                file.entry.and_then(|entry| entry.mode).is_some_and(|mode| mode & 0o111 != 0);
            let hash = base64(&content.digest);
            let line = format!(",sha256={hash},{}\n", content.size);
            self.record.extend([&*csv_field(&file.name), &*line]);
            self.write(&file.name, executable, &content, packed)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        name: &str,
        executable: bool,
        content: &Content,
        packed: Option<Vec<Vec<u8>>>,
    ) -> Result<(), FinishError> {
        let into = self.into;
        let failed = |source| unwritten(into, source);
        let Content { size, crc, .. } = *content;
        let member = Member { name: name.to_owned(), size, crc, executable };
        self.archive.begin(member).map_err(failed)?;
        if let Some(blocks) = packed {
            for block in blocks {
                self.archive.data(&block).map_err(failed)?;
            }
        } else {
            // As many at once as there are cores: that many are in memory.
            let numbers: Vec<usize> = (0..content.blocks()).collect();
            for group in numbers.chunks(2 * rayon::current_num_threads()) {
                let blocks: io::Result<Vec<Vec<u8>>> =
                    group.par_iter().map(|number| content.packed(*number)).collect();
                for block in blocks.map_err(failed)? {
                    self.archive.data(&block).map_err(failed)?;
                }
            }
        }
        self.archive.end().map_err(failed)
    }
}

/// How many of the next files go together.
fn together(files: &[Planned<'_>]) -> usize {
    let mut sum = 0;
    let size = |file: &Planned<'_>| file.entry.map_or(0, |entry| entry.size);
    let fitting = files.iter().take_while(|file| {
        sum += size(file);
        size(file) <= SMALL && sum <= TOGETHER
    });
    fitting.count().max(1)
}

fn unwritten(into: &Utf8Path, source: io::Error) -> FinishError {
    FinishError::Write { path: into.to_owned(), source }
}
