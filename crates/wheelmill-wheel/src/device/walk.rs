//! Walks the containers of a section and the entries of a container.

use super::header::{self, CONTAINER, ENTRY, Header};

/// One entry: its header with all optional parts, and its packed code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) header: Header,
    /// The whole header.
    pub(super) head: &'a [u8],
    /// The payload as stored, with its padding.
    pub(super) payload: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The packed bytes without padding; `None` when they do not fit the payload.
    pub(super) fn packed(&self) -> Option<&'a [u8]> {
        match self.header.compressed_size {
            0 => Some(self.payload),
            size => self.payload.get(..usize::try_from(size).ok()?),
        }
    }

    /// The table of a group, which stands where other entries say where their options are.
    pub(super) fn table(&self) -> Option<&'a [u8]> {
        let place = usize::try_from(self.header.options_place).ok().filter(|place| *place > 0)?;
        let length = header::number::<4>(self.head, place.checked_add(4)?)?;
        self.part(place as u64, length)
    }

    /// The name of what the code was made from.
    pub(super) fn identifier(&self) -> Option<String> {
        let (offset, length) = self.header.identifier;
        let bytes = self.part(u64::from(offset), u64::from(length))?;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches('\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn part(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.head.get(start..)?.get(..usize::try_from(length).ok()?)
    }
}

/// A container's place in its section and its entries.
#[derive(Debug)]
pub(super) struct RawContainer<'a> {
    pub(super) offset: usize,
    pub(super) entries: Vec<Entry<'a>>,
}

/// What stopped a walk, and where in the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) offset: usize,
    pub(super) reason: &'static str,
}

/// The containers of a section up to its end or to where it is broken.
pub(super) fn walk(section: &[u8], most: usize) -> (Vec<RawContainer<'_>>, Option<Broken>) {
    let mut containers = Vec::new();
    let mut offset = 0;
    let mut left = most;
    loop {
        offset = skip_padding(section, offset);
        if offset >= section.len() {
            return (containers, None);
        }
        match container(section, offset, &mut left) {
            Ok((container, end)) => {
                containers.push(container);
                offset = end;
            }
            Err(broken) => return (containers, Some(broken)),
        }
    }
}

/// Containers start at multiples of eight, with nothing but zeros between them.
fn skip_padding(section: &[u8], offset: usize) -> usize {
    let zeros = section[offset..].iter().take_while(|byte| **byte == 0).count();
    // The magic's own first byte is not zero, so that no container loses its start.
    offset + zeros
}

fn container<'a>(
    section: &'a [u8],
    offset: usize,
    left: &mut usize,
) -> Result<(RawContainer<'a>, usize), Broken> {
    let broken = |offset, reason| Broken { offset, reason };
    let bytes = &section[offset..];
    if !bytes.starts_with(&header::MAGIC) {
        return Err(broken(offset, "no container starts here"));
    }
    let fields = (|| {
        let version = header::number::<2>(bytes, 4)?;
        let header_size = header::number::<2>(bytes, 6)?;
        Some((version, header_size, header::number::<8>(bytes, 8)?))
    })();
    let Some((version, header_size, size)) = fields else {
        return Err(broken(offset, "the header of a container is cut off"));
    };
    if (version, header_size) != (1, CONTAINER as u64) {
        return Err(broken(offset, "the container is of an unknown version"));
    }
    let body = usize::try_from(size).ok().and_then(|size| bytes.get(CONTAINER..)?.get(..size));
    let Some(body) = body else {
        return Err(broken(offset, "the container is longer than its section"));
    };
    let mut entries = Vec::new();
    let mut place = 0;
    while place < body.len() {
        let at = offset + CONTAINER + place;
        *left = left.checked_sub(1).ok_or_else(|| broken(at, "there are too many images"))?;
        let rest = &body[place..];
        let Some(header) = Header::read(rest) else {
            return Err(broken(at, "the header of an image is cut off"));
        };
        let head_size = header.header_size as usize;
        if head_size < ENTRY {
            return Err(broken(at, "the header of an image is too short"));
        }
        let split = rest.split_at_checked(head_size).and_then(|(head, rest)| {
            Some((head, rest.get(..usize::try_from(header.payload_size).ok()?)?))
        });
        let Some((head, payload)) = split else {
            return Err(broken(at, "an image is longer than its container"));
        };
        entries.push(Entry { header, head, payload });
        place += head_size + payload.len();
    }
    Ok((RawContainer { offset, entries }, offset + CONTAINER + body.len()))
}
