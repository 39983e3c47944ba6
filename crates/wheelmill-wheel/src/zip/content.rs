//! Unpacks one entry in a single pass: checksum, digest and, where wanted, the bytes.

use std::fs::File;
use std::io::{self, Write as _};

use flate2::{Crc, Decompress, FlushDecompress, Status};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::entry::{Entry, Method};
use super::source::Source;

/// A hash that RECORD may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha384(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// What to do with the bytes of an entry.
#[derive(Clone, Copy)]
pub(crate) enum Keep<'a> {
    /// Keep them when they start with one of these, in memory up to `memory` bytes, beyond that in a
    /// nameless file that `scratch` makes; without `scratch` always in memory.
    Starting {
        with: &'a [&'a [u8]],
        memory: u64,
        scratch: Option<&'a (dyn Fn() -> io::Result<File> + Sync)>,
    },
    /// Keep them in memory.
    All,
}

/// The bytes that were kept.
#[derive(Debug)]
pub(crate) enum Kept {
    Nothing,
    Memory(Vec<u8>),
    Scratch(File),
}

/// What one pass over an entry gave.
#[derive(Debug)]
pub(crate) struct Content {
    /// Bytes that came out; one more than announced where there were too many.
    pub(crate) size: u64,
    pub(crate) crc: u32,
    pub(crate) digest: Vec<u8>,
    pub(crate) kept: Kept,
}

/// Why an entry could not be unpacked.
#[derive(Debug)]
pub(crate) enum ContentError {
    Read(io::Error),
    Scratch(io::Error),
    Damaged(&'static str),
}

/// Unpacks entries of one archive.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a dyn Source,
}

const CHUNK: usize = 256 << 10;

impl Reader<'_> {
    /// Unpacks an entry. It ends at the announced size: what comes behind is not unpacked, only
    /// told by a size one larger.
    pub(crate) fn read(
        &self,
        entry: &Entry,
        algorithm: Algorithm,
        keep: Keep<'_>,
    ) -> Result<Content, ContentError> {
        let mut sink = Sink::new(entry.size, algorithm, keep);
        match entry.method {
            Method::Stored => self.stored(entry, &mut sink)?,
            Method::Deflate => self.deflated(entry, &mut sink)?,
            Method::Other(_) => return Err(ContentError::Damaged("its method is unknown")),
        }
        Ok(sink.finish())
    }

    fn stored(&self, entry: &Entry, sink: &mut Sink<'_>) -> Result<(), ContentError> {
        let mut buffer = vec![0; CHUNK.min(usize::try_from(entry.size).unwrap_or(CHUNK))];
        let mut offset = 0;
        while offset < entry.size {
            let chunk = &mut buffer[..CHUNK.min((entry.size - offset) as usize)];
            self.source
                .read_exact_at(chunk, entry.data_offset + offset)
                .map_err(ContentError::Read)?;
            sink.take(chunk)?;
            offset += chunk.len() as u64;
        }
        Ok(())
    }

    fn deflated(&self, entry: &Entry, sink: &mut Sink<'_>) -> Result<(), ContentError> {
        let mut inflater = Decompress::new(false);
        let mut packed = vec![0; CHUNK.min(usize::try_from(entry.packed_size).unwrap_or(CHUNK))];
        // One byte more than announced, so that a larger file shows.
        let room = entry.size.saturating_add(1).min(CHUNK as u64) as usize;
        let mut unpacked = vec![0; room];
        let mut fetched = 0;
        let mut waiting: &[u8] = &[];
        loop {
            if waiting.is_empty() && fetched < entry.packed_size {
                let length = CHUNK.min((entry.packed_size - fetched) as usize);
                let chunk = &mut packed[..length];
                self.source
                    .read_exact_at(chunk, entry.data_offset + fetched)
                    .map_err(ContentError::Read)?;
                fetched += length as u64;
                waiting = &packed[..length];
            }
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(waiting, &mut unpacked, FlushDecompress::None)
                .map_err(|_| ContentError::Damaged("its deflate stream is broken"))?;
            let consumed = (inflater.total_in() - before_in) as usize;
            let produced = (inflater.total_out() - before_out) as usize;
            waiting = &waiting[consumed..];
            sink.take(&unpacked[..produced])?;
            if sink.size > entry.size {
                return Ok(());
            }
            if status == Status::StreamEnd {
                break;
            }
            if consumed == 0 && produced == 0 {
                return Err(ContentError::Damaged("its deflate stream does not end"));
            }
        }
        if !waiting.is_empty() || fetched < entry.packed_size {
            return Err(ContentError::Damaged("bytes stand behind its deflate stream"));
        }
        Ok(())
    }
}

struct Sink<'a> {
    announced: u64,
    size: u64,
    crc: Crc,
    hasher: Hasher,
    keep: Keep<'a>,
    kept: Kept,
}

impl<'a> Sink<'a> {
    fn new(announced: u64, algorithm: Algorithm, keep: Keep<'a>) -> Self {
        let kept = if matches!(keep, Keep::All) { Kept::Memory(Vec::new()) } else { Kept::Nothing };
        Self { announced, size: 0, crc: Crc::new(), hasher: Hasher::new(algorithm), keep, kept }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        if self.size == 0
            && let Keep::Starting { with, memory, scratch } = self.keep
            && with.iter().any(|start| bytes.starts_with(start))
        {
            self.kept = match scratch {
                Some(make) if self.announced > memory => {
                    Kept::Scratch(make().map_err(ContentError::Scratch)?)
                }
                // The announced size is not trusted with the memory at once: a tiny damaged
                // archive must not cost gigabytes.
                _ => Kept::Memory(Vec::with_capacity(self.announced.min(16 << 20) as usize)),
            };
        }
        self.size += bytes.len() as u64;
        self.crc.update(bytes);
        self.hasher.update(bytes);
        match &mut self.kept {
            Kept::Nothing => Ok(()),
            Kept::Memory(memory) => {
                memory.extend_from_slice(bytes);
                Ok(())
            }
            Kept::Scratch(file) => file.write_all(bytes).map_err(ContentError::Scratch),
        }
    }

    fn finish(self) -> Content {
        Content {
            size: self.size,
            crc: self.crc.sum(),
            digest: self.hasher.finish(),
            kept: self.kept,
        }
    }
}
