//! Turns the device sections of a module into containers, and looks into their images.

use std::ops::Range;

use rayon::prelude::*;

use super::header::{GROUP, Header};
use super::image::{Compression, Container, Image, ImageKind};
use super::walk::{Entry, RawContainer};
use super::{check, group, payload, walk};
use crate::elf::DeviceSection;
use crate::finding::Findings;
use crate::inspect::InspectOptions;
use crate::limits::Limits;
use crate::rules;

/// Images up to this many bytes are always unpacked: the stubs of device links are smaller, and
/// only their contents tell them from real code.
const PEEK: u64 = 16 << 10;

/// Of the first container of a section, the smallest machine code up to this many bytes is
/// unpacked: it names the tools that made it.
const SAMPLE: u64 = 16 << 20;

/// Reads all containers of a module. What is broken becomes findings; what stands before a broken
/// place is kept.
pub(crate) fn read(
    path: &str,
    bytes: &[u8],
    sections: &[DeviceSection],
    options: &InspectOptions,
    findings: &mut Findings,
) -> Vec<Container> {
    let mut containers = Vec::new();
    for section in sections {
        let (raw, broken) = walk::walk(&bytes[section.range.clone()], options.limits.images);
        let place = |offset| Place { path, section, offset };
        if let Some(broken) = broken {
            let place = place(broken.offset);
            findings.add(rules::DEVICE_DAMAGED, format!("{place}: {}", broken.reason));
        }
        let read: Vec<(Container, Findings)> = raw
            .par_iter()
            .map_init(Vec::new, |room, raw| {
                let mut findings = Findings::default();
                let place = place(raw.offset);
                let container = read_container(raw, &place, options, room, &mut findings);
                (container, findings)
            })
            .collect();
        for (container, own) in read {
            containers.push(container);
            findings.append(own);
        }
    }
    containers
}

/// Reads a file that is nothing but containers.
pub(super) fn read_file(
    path: &str,
    bytes: &[u8],
    options: &InspectOptions,
    findings: &mut Findings,
) -> Vec<Container> {
    let whole =
        DeviceSection { name: "the file".to_owned(), range: 0..bytes.len(), relocatable: false };
    read(path, bytes, &[whole], options, findings)
}

/// Where a container stands, for people.
struct Place<'a> {
    path: &'a str,
    section: &'a DeviceSection,
    offset: usize,
}

impl Place<'_> {
    fn in_file(&self) -> u64 {
        (self.section.range.start + self.offset) as u64
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}, {} at {:#x}", self.path, self.section.name, self.in_file())
    }
}

/// Bytes that unpack to one image or to several.
struct Pack<'a> {
    bytes: &'a [u8],
    compression: Compression,
    size: u64,
    /// The images in it, by their number in the container, and their places in the unpacked bytes.
    images: Vec<(usize, Range<u64>)>,
}

impl Pack<'_> {
    fn holds_cubin(&self, images: &[Image]) -> bool {
        self.images.iter().any(|(index, _)| images[*index].kind == ImageKind::Cubin)
    }
}

fn read_container(
    raw: &RawContainer<'_>,
    place: &Place<'_>,
    options: &InspectOptions,
    room: &mut Vec<u8>,
    findings: &mut Findings,
) -> Container {
    let mut images = Vec::new();
    let mut packs = Vec::new();
    for entry in &raw.entries {
        match read_entry(entry, images.len(), &options.limits) {
            Ok((read, pack)) => {
                for image in &read {
                    if let ImageKind::Unknown(number) = image.kind {
                        findings.add(rules::DEVICE_UNKNOWN, format!("{place}: kind {number}"));
                    }
                }
                images.extend(read);
                packs.extend(pack);
            }
            Err(reason) => findings.add(rules::DEVICE_DAMAGED, format!("{place}: {reason}")),
        }
    }
    let small = !place.section.relocatable && images.iter().all(|image| image.size <= PEEK);
    if !options.deep && !small {
        packs.retain(|pack| pack.size <= SAMPLE && pack.holds_cubin(&images));
        packs.sort_by_key(|pack| pack.size);
        packs.truncate(usize::from(raw.offset == 0));
    }
    for pack in &packs {
        look_into(pack, &mut images, place, options.limits.image, room, findings);
    }
    Container {
        section: place.section.name.clone(),
        offset: place.in_file(),
        relocatable: place.section.relocatable,
        images,
    }
}

/// The images of an entry, the first of which gets the number `first`, and how to unpack them;
/// nothing for those that cannot be.
fn read_entry<'a>(
    entry: &Entry<'a>,
    first: usize,
    limits: &Limits,
) -> Result<(Vec<Image>, Option<Pack<'a>>), String> {
    let header = &entry.header;
    let compression = header.compression().ok_or("an image is packed in two ways at once")?;
    let bytes = entry.packed().ok_or("the packed code of an image is longer than its room")?;
    let size = match compression {
        Compression::None => bytes.len() as u64,
        Compression::Lz4 | Compression::Zstd => header.decompressed_size,
    };
    let image = |header: &Header, size, identifier, grouped| {
        Ok::<_, String>(Image {
            kind: header.image_kind(),
            arch: header
                .cuda_arch()
                .ok_or_else(|| format!("an image is for the architecture {}", header.arch))?,
            compression,
            packed_size: bytes.len() as u64,
            size,
            version: header.version,
            identifier,
            debug: header.is_debug(),
            grouped,
            functions: None,
            toolkit: None,
        })
    };
    if header.kind != GROUP {
        let images = vec![image(header, size, entry.identifier(), false)?];
        let places = vec![(first, 0..size)];
        let pack = Pack { bytes, compression, size, images: places };
        return Ok((images, (!header.is_scrambled()).then_some(pack)));
    }
    let table = entry.table().ok_or("a group of images has no table")?;
    let members = group::members(table, limits.images)?;
    let mut images = Vec::new();
    let mut places = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let end = member.offset.checked_add(member.size).filter(|end| *end <= size);
        let end = end.ok_or("an image of a group lies outside of it")?;
        images.push(image(&member.header, member.size, None, true)?);
        places.push((first + index, member.offset..end));
    }
    Ok((images, Some(Pack { bytes, compression, size, images: places })))
}

/// Unpacks a pack and notes how many functions each image defines.
fn look_into(
    pack: &Pack<'_>,
    images: &mut [Image],
    place: &Place<'_>,
    most: u64,
    room: &mut Vec<u8>,
    findings: &mut Findings,
) {
    let unpacked = match payload::unpack(pack.bytes, pack.compression, pack.size, most, room) {
        Ok(unpacked) => unpacked,
        Err(reason) => {
            for (index, _) in &pack.images {
                bad(&images[*index], place, reason, findings);
            }
            return;
        }
    };
    for (index, range) in &pack.images {
        let image = &mut images[*index];
        // The places were held against the announced size, which is the true one by now.
        let code = &unpacked[range.start as usize..range.end as usize];
        let contents = match image.kind {
            ImageKind::Cubin => check::cubin(code, image.arch),
            ImageKind::Ptx => check::ptx(code, image.arch),
            ImageKind::LtoIr | ImageKind::Unknown(_) => continue,
        };
        match contents {
            Ok(contents) => {
                image.functions = Some(contents.functions);
                image.toolkit = contents.toolkit;
            }
            Err(reason) => bad(image, place, reason, findings),
        }
    }
}

fn bad(image: &Image, place: &Place<'_>, reason: &str, findings: &mut Findings) {
    let Image { kind, arch, .. } = image;
    findings.add(rules::DEVICE_PAYLOAD, format!("{place}, {kind} for {arch}: {reason}"));
}
