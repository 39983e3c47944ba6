//! Unpacks images, never to more than their headers say.

use std::borrow::Cow;

use ruzstd::decoding::FrameDecoder;

use super::image::Compression;

/// Unpacks to exactly `size` bytes. The error says what is wrong.
pub(super) fn unpack(
    packed: &[u8],
    compression: Compression,
    size: u64,
    most: u64,
) -> Result<Cow<'_, [u8]>, &'static str> {
    if compression == Compression::None {
        return Ok(Cow::Borrowed(packed));
    }
    if size > most {
        return Err("it would unpack to more than is allowed");
    }
    // Neither format packs better than this; a header that says more lies, and is not believed
    // with the memory.
    let possible = match compression {
        Compression::Lz4 => (packed.len() as u64).saturating_mul(255),
        Compression::Zstd | Compression::None => (packed.len() as u64).saturating_mul(1 << 17),
    };
    if size > possible {
        return Err("its header gives a size that it cannot unpack to");
    }
    let mut unpacked = vec![0; size as usize];
    let length = match compression {
        Compression::Lz4 => lz4_flex::block::decompress_into(packed, &mut unpacked)
            .map_err(|_| "its LZ4 data is broken")?,
        Compression::Zstd | Compression::None => {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(most);
            decoder.decode_all(packed, &mut unpacked).map_err(|_| "its Zstandard data is broken")?
        }
    };
    if length as u64 != size {
        return Err("it unpacks to another size than its header says");
    }
    Ok(Cow::Owned(unpacked))
}
