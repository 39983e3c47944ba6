//! Looks into unpacked images: are they what their headers say, and what do they define?

use object::Endianness;
use object::elf::{FileHeader64, SHT_LOPROC};
use object::read::elf::{FileHeader, SectionHeader as _};
use wheelmill_model::CudaArch;

use crate::elf::Machine;

/// Counts the functions of a cubin and holds its own architecture number against its header's.
pub(super) fn cubin(bytes: &[u8], arch: CudaArch) -> Result<u32, &'static str> {
    const BROKEN: &str = "it is no ELF file";
    let file = FileHeader64::<Endianness>::parse(bytes).map_err(|_| BROKEN)?;
    let endian = Endianness::Little;
    if file.e_machine(endian).0 != Machine::CUDA.0 {
        return Err("it is not for an NVIDIA GPU");
    }
    let flags = file.e_flags(endian).0;
    // Cubins of the later layout, which starts with ABI version 8, moved the number up a byte.
    let own = match bytes.get(8) {
        Some(version) if *version >= 8 => flags >> 8 & 0xff,
        _ => flags & 0xff,
    };
    if own != u32::from(arch.number) {
        return Err("it was compiled for another architecture than its header says");
    }
    let sections = file.sections(endian, bytes).map_err(|_| "its sections are broken")?;
    let mut functions = 0;
    for section in sections.iter() {
        let name = sections.section_name(endian, section).map_err(|_| "its names are broken")?;
        // Sections of NVIDIA's own types may have a size without bytes in the file.
        if section.sh_type(endian).0 < SHT_LOPROC {
            section.data(endian, bytes).map_err(|_| "a section reaches beyond its end")?;
        }
        functions += u32::from(name.starts_with(b".text."));
    }
    Ok(functions)
}

/// Counts the functions of PTX and holds its target against its header's.
pub(super) fn ptx(bytes: &[u8], arch: CudaArch) -> Result<u32, &'static str> {
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
    let mut target = None;
    let mut functions = 0;
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix(".target") {
            target = target.or(rest.trim().split([',', ' ']).next());
        }
        let words = line.split_whitespace().take(3);
        functions += u32::from(words.into_iter().any(|word| matches!(word, ".entry" | ".func")));
    }
    match target.and_then(|target| target.parse::<CudaArch>().ok()) {
        Some(own) if own == arch => Ok(functions),
        Some(_) => Err("its target is another than its header says"),
        None => Err("it names no target"),
    }
}
