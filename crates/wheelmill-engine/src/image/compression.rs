//! Compressed streams, known by how they begin: media types of images are often wrong.

use std::io::{self, BufRead, Read};

/// What a stream is compressed with, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Looks at the first bytes of a stream, and leaves them there.
    pub(super) fn sniff(reader: &mut impl BufRead) -> io::Result<Self> {
        let unsupported = |name: &str| {
            io::Error::new(
                io::ErrorKind::Unsupported,
                format!("it is compressed with {name}; gzip and zstd are understood"),
            )
        };
        match reader.fill_buf()? {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            // A frame, or a skippable frame before it (RFC 8878, section 3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(unsupported("xz")),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Err(unsupported("bzip2")),
            _ => Ok(Self::None),
        }
    }
}

/// The uncompressed stream.
pub(super) fn decompressed<'a>(mut reader: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match Compression::sniff(&mut reader)? {
        Compression::None => Box::new(reader),
        // Several members one after another are one stream: parallel compressors write that.
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
    })
}
