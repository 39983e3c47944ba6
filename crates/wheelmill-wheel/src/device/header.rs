//! The headers of containers and entries.

use wheelmill_model::{CudaArch, Feature};

use super::image::{Compression, ImageKind};

/// How a container starts: 0xBA55ED50.
pub(super) const MAGIC: [u8; 4] = 0xba55_ed50_u32.to_le_bytes();
/// Bytes of a container's header.
pub(super) const CONTAINER: usize = 16;
/// Bytes of an entry's header up to where optional parts begin.
pub(super) const ENTRY: usize = 64;
/// The kind of an entry that packs several images together.
pub(super) const GROUP: u16 = 256;

const DEBUG: u64 = 0x2;
const LZ4: u64 = 0x2000;
const ZSTD: u64 = 0x8000;
/// Seen on LTO code only, whose payload then is neither Zstandard nor anything else known.
const SCRAMBLED: u64 = 0x1_0000;
const SPECIFIC: u64 = 0x10_0000;
const FAMILY: u64 = 0x20_0000;

/// Reads little-endian numbers at fixed places; `None` beyond the end.
pub(super) fn number<const N: usize>(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..)?.first_chunk::<N>()?;
    Some(field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// The fixed part of an entry's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u16,
    pub(super) header_size: u32,
    pub(super) payload_size: u64,
    pub(super) compressed_size: u32,
    /// Where, from the header's start, `{offset, length}` of the options lie; 0 for none.
    pub(super) options_place: u32,
    pub(super) version: (u16, u16),
    pub(super) arch: u32,
    pub(super) identifier: (u32, u32),
    pub(super) flags: u64,
    pub(super) decompressed_size: u64,
}

impl Header {
    /// Reads it; `None` when the bytes end too early.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..ENTRY)?;
        Some(Self {
            kind: number::<2>(bytes, 0)? as u16,
            header_size: number::<4>(bytes, 4)? as u32,
            payload_size: number::<8>(bytes, 8)?,
            compressed_size: number::<4>(bytes, 16)? as u32,
            options_place: number::<4>(bytes, 20)? as u32,
            version: (number::<2>(bytes, 26)? as u16, number::<2>(bytes, 24)? as u16),
            arch: number::<4>(bytes, 28)? as u32,
            identifier: (number::<4>(bytes, 32)? as u32, number::<4>(bytes, 36)? as u32),
            flags: number::<8>(bytes, 40)?,
            decompressed_size: number::<8>(bytes, 56)?,
        })
    }

    pub(super) fn image_kind(&self) -> ImageKind {
        match self.kind {
            1 => ImageKind::Ptx,
            2 => ImageKind::Cubin,
            8 => ImageKind::LtoIr,
            other => ImageKind::Unknown(other),
        }
    }

    /// How the payload is packed; `None` when the flags contradict each other.
    pub(super) fn compression(&self) -> Option<Compression> {
        match (self.flags & LZ4 != 0, self.flags & ZSTD != 0) {
            (false, false) => Some(Compression::None),
            (true, false) => Some(Compression::Lz4),
            (false, true) => Some(Compression::Zstd),
            (true, true) => None,
        }
    }

    /// The architecture; `None` for a number that no architecture has.
    pub(super) fn cuda_arch(&self) -> Option<CudaArch> {
        let number = u16::try_from(self.arch).ok().filter(|number| (10..1000).contains(number))?;
        let feature = match (self.flags & SPECIFIC != 0, self.flags & FAMILY != 0) {
            (false, false) => Feature::Base,
            (true, _) => Feature::Specific,
            (false, true) => Feature::Family,
        };
        Some(CudaArch { number, feature })
    }

    /// Whether the payload is in a form that only NVIDIA's tools read.
    pub(super) fn is_scrambled(&self) -> bool {
        self.flags & SCRAMBLED != 0
    }

    pub(super) fn is_debug(&self) -> bool {
        self.flags & DEBUG != 0
    }
}
