//! Unpacks one layer: a plain function of a stream and a folder.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::Path;

use nix::sys::stat::Mode;
use nix::sys::statvfs::statvfs;
use nix::unistd::mkfifo;
use tar::{Entry, EntryType};

use super::metadata::Metadata;
use super::meter::{Budget, Metered};
use super::name::EntryName;
use super::tree::Tree;
use super::{UnpackError, UnpackOptions, Unpacked, xattr};
use crate::Cancel;
use crate::image::compression::decompressed;

/// What a layer may hold. The largest CUDA images have 20 GB in all.
const MOST_BYTES: u64 = 256 << 30;
const MOST_ENTRIES: u64 = 8 << 20;
/// What the headers of one entry may take: a path, a link, and attributes.
const MOST_HEADER_BYTES: u64 = 4 << 20;
/// How often the free room is asked for.
const ROOM_STEP: u64 = 64 << 20;

/// Unpacks a layer into an existing, empty folder that nobody else writes to: a tar, compressed with
/// gzip, zstd or not at all.
///
/// Nothing outside the folder is written, whatever the tar holds. Whiteouts become what an overlay
/// understands. Devices are skipped, as an unprivileged user could not make them and a container
/// gets its own.
///
/// # Errors
/// The stream is damaged or hostile, its content is not what `options.diff_id` names, the folder
/// cannot be written, or the caller cancelled. What was unpacked until then is left for the caller
/// to remove.
pub fn unpack(
    reader: impl Read,
    folder: &Path,
    options: &UnpackOptions,
    cancel: &Cancel,
) -> Result<Unpacked, UnpackError> {
    let result = Unpacking::run(reader, folder, options, cancel);
    // Whatever the interrupted stream was taken for.
    if cancel.is_cancelled() { Err(UnpackError::Cancelled) } else { result }
}

struct Unpacking<'a> {
    folder: &'a Path,
    options: &'a UnpackOptions,
    tree: Tree,
    unpacked: Unpacked,
    buffer: Vec<u8>,
    /// Bytes that may still be written before the free room is asked for again.
    room: u64,
}

impl<'a> Unpacking<'a> {
    fn run(
        reader: impl Read,
        folder: &'a Path,
        options: &'a UnpackOptions,
        cancel: &Cancel,
    ) -> Result<Unpacked, UnpackError> {
        let stream =
            decompressed(BufReader::with_capacity(256 << 10, reader)).map_err(UnpackError::Read)?;
        let budget = Budget::default();
        let mut archive = tar::Archive::new(Metered::new(stream, budget.clone(), cancel.clone()));
        let mut unpacking = Self {
            folder,
            options,
            tree: Tree::new(folder, options.mode),
            unpacked: Unpacked::default(),
            buffer: vec![0; 256 << 10],
            room: 0,
        };
        budget.renew(MOST_HEADER_BYTES);
        for entry in archive.entries().map_err(UnpackError::Read)? {
            let mut entry = entry.map_err(UnpackError::Read)?;
            unpacking.count(entry.size())?;
            budget.renew(MOST_BYTES);
            unpacking.entry(&mut entry)?;
            // What an entry of another kind carries must not count against the next header.
            io::copy(&mut entry, &mut io::sink()).map_err(UnpackError::Read)?;
            budget.renew(MOST_HEADER_BYTES);
        }
        let (diff_id, stream_bytes) =
            archive.into_inner().finish(MOST_BYTES).map_err(UnpackError::Read)?;
        let Self { tree, mut unpacked, .. } = unpacking;
        // A stream without even an end mark is no tar.
        if stream_bytes == 0 {
            return Err(UnpackError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(expected) = options.diff_id
            && expected != diff_id
        {
            return Err(UnpackError::DiffId { expected, actual: diff_id });
        }
        tree.finish(&mut unpacked)?;
        unpacked.diff_id = diff_id;
        Ok(unpacked)
    }

    /// Counts an entry by what it declares, before a byte of it is written.
    fn count(&mut self, size: u64) -> Result<(), UnpackError> {
        self.unpacked.entries += 1;
        if self.unpacked.entries > MOST_ENTRIES {
            return Err(UnpackError::TooLarge { limit: MOST_ENTRIES, unit: "entries" });
        }
        self.unpacked.bytes = self.unpacked.bytes.saturating_add(size);
        if self.unpacked.bytes > MOST_BYTES {
            return Err(UnpackError::TooLarge { limit: MOST_BYTES, unit: "bytes" });
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), UnpackError> {
        let raw = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let parts = match EntryName::parse(&raw)? {
            EntryName::Plain(parts) => parts,
            EntryName::Whiteout { parent, name } => return self.tree.hide(&parent, &name, &raw),
            EntryName::Opaque(parts) => return self.tree.hide_all(&parts, &raw),
            EntryName::Ignored => return Ok(()),
        };
        let mut metadata = Metadata::read(entry.header()).map_err(UnpackError::Read)?;
        let mode = self.options.mode;
        match kind {
            // The oldest tars mark a folder by its name alone.
            EntryType::Regular if raw.ends_with(b"/") => {
                self.tree.add_folder(&parts, metadata, &raw)
            }
            EntryType::Directory => {
                metadata.attributes = attributes(entry, &raw)?;
                self.tree.add_folder(&parts, metadata, &raw)
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                metadata.attributes = attributes(entry, &raw)?;
                let path = self.tree.place(&parts, &raw)?;
                self.file(entry, &path, &metadata, &raw)
            }
            EntryType::Link => self.tree.hard_link(&parts, &link_name(entry, &raw)?, &raw),
            EntryType::Symlink => {
                let target = link_name(entry, &raw)?;
                let path = self.tree.place(&parts, &raw)?;
                symlink(os_str(&target), &path)
                    .map_err(UnpackError::write("make the symlink", &path))?;
                metadata.apply_to_path(&path, true, mode, &mut self.unpacked)
            }
            EntryType::Fifo => {
                let path = self.tree.place(&parts, &raw)?;
                mkfifo(&path, Mode::S_IRUSR)
                    .map_err(io::Error::from)
                    .map_err(UnpackError::write("make the pipe", &path))?;
                metadata.apply_to_path(&path, false, mode, &mut self.unpacked)
            }
            EntryType::Char | EntryType::Block => {
                self.unpacked.devices_skipped += 1;
                Ok(())
            }
            _ => Err(UnpackError::entry(&raw, "is of a kind that is not known")),
        }
    }

    fn file(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        metadata: &Metadata,
        raw: &[u8],
    ) -> Result<(), UnpackError> {
        let size = entry.size();
        self.reserve(size)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(UnpackError::write("create", path))?;
        let mut written = 0;
        loop {
            let count = match entry.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(UnpackError::Read(error)),
            };
            io::Write::write_all(&mut file, &self.buffer[..count])
                .map_err(UnpackError::write("write", path))?;
            written += count as u64;
        }
        if written != size {
            return Err(UnpackError::entry(raw, "is cut off"));
        }
        metadata.apply_to_file(&file, path, self.options.mode, &mut self.unpacked)
    }

    /// Makes sure that the next file has room, so that a wrong size is found before the disk is full.
    fn reserve(&mut self, size: u64) -> Result<(), UnpackError> {
        if size > self.room {
            let free = statvfs(self.folder)
                .map(|stat| stat.blocks_available().saturating_mul(stat.fragment_size()))
                .map_err(io::Error::from)
                .map_err(UnpackError::write("ask for the free room of", self.folder))?;
            if size > free {
                return Err(UnpackError::NoRoom { wanted: size, free });
            }
            self.room = free.min(size.saturating_add(ROOM_STEP));
        }
        self.room -= size;
        Ok(())
    }
}

fn link_name(entry: &Entry<'_, impl Read>, raw: &[u8]) -> Result<Vec<u8>, UnpackError> {
    match entry.link_name_bytes() {
        Some(name) if !name.is_empty() && !name.contains(&0) => Ok(name.into_owned()),
        _ => Err(UnpackError::entry(raw, "is a link without a target")),
    }
}

fn os_str(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// The attributes that are kept, from the records that GNU tar and Docker write.
fn attributes(
    entry: &mut Entry<'_, impl Read>,
    raw: &[u8],
) -> Result<Vec<(CString, Vec<u8>)>, UnpackError> {
    let Some(records) = entry.pax_extensions().map_err(UnpackError::Read)? else {
        return Ok(Vec::new());
    };
    let mut kept = Vec::new();
    for record in records {
        let record = record.map_err(UnpackError::Read)?;
        if record.key_bytes().starts_with(b"GNU.sparse.") {
            // The content begins with a map of holes then, and would be taken for the file's own.
            return Err(UnpackError::entry(raw, "is sparse: write the tar without `--sparse`"));
        }
        let Some(name) = record.key_bytes().strip_prefix(b"SCHILY.xattr.") else { continue };
        if xattr::is_kept(name)
            && let Ok(name) = CString::new(name)
        {
            kept.push((name, record.value_bytes().to_vec()));
        }
    }
    Ok(kept)
}
