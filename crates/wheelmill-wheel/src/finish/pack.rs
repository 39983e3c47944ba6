//! Deflates in blocks that do not know of each other, so that all cores have work and the bytes
//! are the same on any number of them.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};

/// Bytes of a block: large enough that starting anew costs next to nothing in size.
pub(super) const BLOCK: usize = 4 << 20;

/// What most wheels are packed with.
const LEVEL: i32 = 6;

/// Deflates one block of a file. The blocks of a file, one behind the other, are one stream, which
/// ends with the `last` one.
///
/// The implementation is chosen here and not by a feature of another crate, and has no parts that
/// depend on the processor: another one would give other bytes.
pub(super) fn deflate(block: &[u8], last: bool) -> Vec<u8> {
    // Without the frame of zlib, of which zip archives have none.
    let flags = create_comp_flags_from_zip_params(LEVEL, 0, 0);
    let mut compressor = CompressorOxide::new(flags);
    let flush = if last { TDEFLFlush::Finish } else { TDEFLFlush::Sync };
    let mut packed = Vec::with_capacity(block.len() / 2 + 64);
    compress_to_output(&mut compressor, block, flush, |bytes| {
        packed.extend_from_slice(bytes);
        true
    });
    packed
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn blocks_are_one_stream() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut stream = Vec::new();
        let count = text.chunks(9_999).count();
        for (number, block) in text.chunks(9_999).enumerate() {
            stream.extend(deflate(block, number + 1 == count));
        }
        let mut read = Vec::new();
        flate2::read::DeflateDecoder::new(&stream[..]).read_to_end(&mut read).unwrap();
        assert!(read == text && stream.len() < text.len());
    }
}
