//! Unpacks images, never to more than their headers say.

use super::image::Compression;

/// Unpacks to exactly `size` bytes, at most `most`. `room` lends its memory, so that many images
/// can be unpacked in one place. The error says what is wrong.
pub(super) fn unpack<'a>(
    packed: &'a [u8],
    compression: Compression,
    size: u64,
    most: u64,
    room: &'a mut Vec<u8>,
) -> Result<&'a [u8], &'static str> {
    // What a byte can unpack to at the most. A header that says more lies, and is not believed
    // with the memory.
    let gain = match compression {
        Compression::None => return Ok(packed),
        Compression::Lz4 => 255,
        Compression::Zstd => 1 << 17,
    };
    if size > most {
        return Err("it would unpack to more than is allowed");
    }
    if size > (packed.len() as u64).saturating_mul(gain) {
        return Err("its header gives a size that it cannot unpack to");
    }
    room.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
    let length = match compression {
        Compression::Lz4 => {
            lz4_flex::block::decompress_into(packed, room).map_err(|_| "its LZ4 data is broken")?
        }
        Compression::Zstd | Compression::None => {
            zstd::bulk::decompress_to_buffer(packed, room.as_mut_slice())
                .map_err(|_| "its Zstandard data is broken")?
        }
    };
    if length != room.len() {
        return Err("it unpacks to another size than its header says");
    }
    Ok(room)
}
