//! Entries that pack several images in one piece, as `nvcc --concat` writes them.

use super::header::{ENTRY, Header, number};

/// One image of a group: its header, with the place of its code in the unpacked whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) header: Header,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Reads the table of a group: a count, the table's length, and a header for each image, some
/// followed by options of their own. In these headers the place and size of the code stand where
/// others have the size of header and payload. The error says what is wrong.
pub(super) fn members(table: &[u8], most: usize) -> Result<Vec<Member>, &'static str> {
    const CUT: &str = "the table of a group of images is cut off";
    let count = number::<4>(table, 0).ok_or(CUT)?;
    let mut rest = table.get(8..).ok_or(CUT)?;
    let mut members = Vec::new();
    for _ in 0..count {
        if members.len() >= most {
            return Err("there are too many images");
        }
        let header = Header::read(rest).ok_or(CUT)?;
        members.push(Member {
            header,
            offset: u64::from(header.header_size),
            size: header.payload_size,
        });
        let length = member_size(rest, &header).ok_or(CUT)?;
        rest = rest.get(length.min(rest.len())..).unwrap_or_default();
    }
    Ok(members)
}

/// Bytes from one header to the next: options end in a zero byte and are padded to eight.
fn member_size(bytes: &[u8], header: &Header) -> Option<usize> {
    if header.options_place == 0 {
        return Some(ENTRY);
    }
    let place = header.options_place as usize;
    let length = usize::try_from(number::<4>(bytes, place.checked_add(4)?)?).ok()?;
    let end = place.checked_add(8)?.checked_add(length)?.checked_add(1)?;
    end.checked_next_multiple_of(8)
}
