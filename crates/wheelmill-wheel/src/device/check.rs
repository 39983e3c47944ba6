//! Looks into unpacked images: are they what their headers say, and what do they define?

use object::Endianness;
use object::elf::{FileHeader64, SHT_LOPROC};
use object::read::elf::{FileHeader, SectionHeader as _};
use wheelmill_model::{CudaArch, CudaVersion};

use crate::elf::Machine;

/// What the contents of an image tell beyond its header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contents {
    /// The kernels and device functions that it defines.
    pub(super) functions: u32,
    /// The CUDA release whose tools made it.
    pub(super) toolkit: Option<CudaVersion>,
}

/// Looks into a cubin and holds its own architecture number against its header's.
pub(super) fn cubin(bytes: &[u8], arch: CudaArch) -> Result<Contents, &'static str> {
    let file = FileHeader64::<Endianness>::parse(bytes).map_err(|_| "it is no ELF file")?;
    let endian = Endianness::Little;
    if file.e_machine(endian).0 != Machine::CUDA.0 {
        return Err("it is not for an NVIDIA GPU");
    }
    if cubin_number(bytes) != Some(arch.number) {
        return Err("it was compiled for another architecture than its header says");
    }
    let sections = file.sections(endian, bytes).map_err(|_| "its sections are broken")?;
    let mut contents = Contents::default();
    for section in sections.iter() {
        let name = sections.section_name(endian, section).map_err(|_| "its names are broken")?;
        // Sections of NVIDIA's own types may have a size without bytes in the file.
        let data = if section.sh_type(endian).0 < SHT_LOPROC {
            section.data(endian, bytes).map_err(|_| "a section reaches beyond its end")?
        } else {
            &[]
        };
        contents.functions += u32::from(name.starts_with(b".text."));
        if name == TOOLKIT_NOTE {
            contents.toolkit = release(data);
        }
    }
    Ok(contents)
}

/// Where cubins of CUDA 13 and later name the tools that made them.
const TOOLKIT_NOTE: &[u8] = b".note.nv.tkinfo";

/// The release in `Cuda compilation tools, release 13.0, V13.0.88`.
fn release(text: &[u8]) -> Option<CudaVersion> {
    const BEFORE: &[u8] = b"tools, release ";
    let start = text.windows(BEFORE.len()).position(|window| window == BEFORE)? + BEFORE.len();
    let rest = &text[start..];
    let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

/// The number of the architecture that a cubin names in its ELF flags. The letters behind it are
/// not to be had there: what bit says so changed between compilers.
pub(super) fn cubin_number(bytes: &[u8]) -> Option<u16> {
    let file = FileHeader64::<Endianness>::parse(bytes).ok()?;
    let flags = file.e_flags(Endianness::Little).0;
    // Cubins of the later layout, which starts with ABI version 8, moved the number up a byte.
    let number = if file.e_ident().abi_version >= 8 { flags >> 8 } else { flags };
    Some((number & 0xff) as u16)
}

/// Looks into PTX and holds its target against its header's.
pub(super) fn ptx(bytes: &[u8], arch: CudaArch) -> Result<Contents, &'static str> {
    let text = ptx_text(bytes).ok_or("it is not text")?;
    match ptx_target(bytes) {
        Some(own) if own == arch => {}
        Some(_) => return Err("its target is another than its header says"),
        None => return Err("it names no target"),
    }
    let defines = |line: &&str| {
        let mut words = line.split_whitespace().take(3);
        words.any(|word| matches!(word, ".entry" | ".func")) && !line.contains(".extern")
    };
    let functions = u32::try_from(text.lines().filter(defines).count()).unwrap_or(u32::MAX);
    Ok(Contents { functions, toolkit: None })
}

/// The architecture that PTX names.
pub(super) fn ptx_target(bytes: &[u8]) -> Option<CudaArch> {
    let mut lines = ptx_text(bytes)?.lines();
    let target = lines.find_map(|line| line.trim_start().strip_prefix(".target"))?;
    target.trim().split([',', ' ']).next()?.parse().ok()
}

/// The version of the language that PTX names.
pub(super) fn ptx_version(bytes: &[u8]) -> Option<(u16, u16)> {
    let mut lines = ptx_text(bytes)?.lines();
    let version = lines.find_map(|line| line.trim_start().strip_prefix(".version"))?;
    let (major, minor) = version.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn ptx_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.strip_suffix(b"\0").unwrap_or(bytes)).ok()
}
