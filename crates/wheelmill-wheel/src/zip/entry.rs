//! One entry of the central directory, and the fields that both headers of an entry share.

use std::fmt;

use super::fields::Fields;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// As it is.
    Stored,
    /// By deflate.
    Deflate,
    /// By something that wheels may not use.
    Other(u16),
}

impl From<u16> for Method {
    fn from(number: u16) -> Self {
        match number {
            0 => Self::Stored,
            8 => Self::Deflate,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => formatter.write_str("stored"),
            Self::Deflate => formatter.write_str("deflate"),
            Self::Other(number) => write!(formatter, "method {number}"),
        }
    }
}

/// A file or folder of the archive, as the central directory has it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The name for people and for comparisons; undecodable bytes are replaced.
    pub(crate) name: String,
    /// The name as written.
    pub(crate) raw_name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: Method,
    pub(crate) crc: u32,
    pub(crate) packed_size: u64,
    pub(crate) size: u64,
    /// Where its local header starts.
    pub(crate) header_offset: u64,
    /// Where its data starts, once the local header was read.
    pub(crate) data_offset: u64,
    /// The Unix mode, where the writer gave one.
    pub(crate) mode: Option<u32>,
    /// Whether its data may be read: known method, no encryption, no bomb, sound headers.
    pub(crate) readable: bool,
}

impl Entry {
    pub(crate) const ENCRYPTED: u16 = 1;
    pub(crate) const DESCRIPTOR: u16 = 1 << 3;
    pub(crate) const UTF8: u16 = 1 << 11;
    /// Bits that mean patched data, strong encryption or hidden headers.
    pub(crate) const UNWANTED: u16 = Self::ENCRYPTED | 1 << 5 | 1 << 6 | 1 << 13;

    pub(crate) fn is_folder(&self) -> bool {
        self.raw_name.ends_with(b"/")
    }
}

/// What an extra field says that matters here.
#[derive(Debug, Default)]
pub(crate) struct Extra<'a> {
    /// The data of the 64-bit field.
    pub(crate) zip64: Option<&'a [u8]>,
    /// Whether there is a second, Unicode spelling of the name (0x7075).
    pub(crate) second_name: bool,
    /// Whether the field is malformed or gives a part twice.
    pub(crate) malformed: bool,
}

impl<'a> Extra<'a> {
    pub(crate) fn read(extra: &'a [u8]) -> Self {
        let mut fields = Fields(extra);
        let mut read = Self::default();
        while !fields.0.is_empty() {
            let part = (|| {
                let kind = fields.u16()?;
                let length = fields.u16()?;
                Some((kind, fields.bytes(usize::from(length))?))
            })();
            match part {
                Some((0x0001, data)) => {
                    read.malformed |= read.zip64.is_some();
                    read.zip64 = Some(data);
                }
                Some((0x7075, _)) => read.second_name = true,
                Some(_) => {}
                None => {
                    // Some writers pad with fewer than four zero bytes.
                    read.malformed |= fields.0.iter().any(|byte| *byte != 0) || fields.0.len() > 3;
                    break;
                }
            }
        }
        read
    }
}
