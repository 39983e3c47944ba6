//! Reads one ELF file of either width and byte order.

use std::collections::BTreeMap;
use std::ops::Range;

use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, FileHeader32, FileHeader64, SHT_NOBITS,
};
use object::read::elf::{ElfFile, FileHeader, SectionHeader as _, Sym as _};
use object::{Endianness, FileKind};

use super::machine::Machine;
use super::properties::{self, LoadProperties};

/// A section that holds containers of device code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceSection {
    pub(crate) name: String,
    /// Its bytes within the file.
    pub(crate) range: Range<usize>,
    /// Whether its code awaits a device link.
    pub(crate) relocatable: bool,
}

/// What an ELF file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ElfFacts {
    pub(crate) machine: Machine,
    pub(crate) soname: Option<String>,
    pub(crate) needed: Vec<String>,
    pub(crate) rpath: Vec<String>,
    pub(crate) runpath: Vec<String>,
    pub(crate) symbol_versions: BTreeMap<String, Vec<String>>,
    /// The Python modules that it defines the start function of.
    pub(crate) init_functions: Vec<String>,
    /// The functions of the driver that it calls by name.
    pub(crate) driver_functions: Vec<String>,
    pub(crate) properties: LoadProperties,
    pub(crate) device_sections: Vec<DeviceSection>,
}

/// What is broken, in a few words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ElfError {
    /// The reader of ELF files gave up.
    #[error("{0}")]
    Structure(#[from] object::Error),
    /// The header is none of the known ones.
    #[error("its header is broken")]
    Header,
    /// A section of device code lies outside the file.
    #[error("its section {0} reaches beyond the end of the file")]
    Section(String),
    /// A table is too long to be honest.
    #[error("its table of symbol versions is endless")]
    Versions,
}

/// Whether a file is machine code for NVIDIA GPUs.
pub(crate) fn is_cubin(bytes: &[u8]) -> bool {
    FileHeader64::<Endianness>::parse(bytes)
        .is_ok_and(|header| header.e_machine(Endianness::Little).0 == Machine::CUDA.0)
}

/// Reads the facts.
pub(crate) fn read(bytes: &[u8]) -> Result<ElfFacts, ElfError> {
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) => read_as::<FileHeader64<Endianness>>(bytes),
        Ok(FileKind::Elf32) => read_as::<FileHeader32<Endianness>>(bytes),
        _ => Err(ElfError::Header),
    }
}

fn read_as<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<ElfFacts, ElfError> {
    let file = ElfFile::<Elf>::parse(bytes)?;
    let endian = file.endian();
    let mut facts = ElfFacts {
        machine: Machine(file.elf_header().e_machine(endian).0),
        soname: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: Vec::new(),
        symbol_versions: BTreeMap::new(),
        init_functions: Vec::new(),
        driver_functions: Vec::new(),
        properties: properties::read(&file)?,
        device_sections: Vec::new(),
    };
    read_dynamic(&file, &mut facts)?;
    read_versions(&file, &mut facts)?;
    read_functions(&file, &mut facts)?;
    read_sections(&file, bytes.len(), &mut facts)?;
    Ok(facts)
}

/// The most symbol versions of one file; the largest libraries need some hundreds. Entries may
/// overlap, so that a small table can make a long list.
const VERSIONS: usize = 100_000;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_dynamic<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, Elf>,
    facts: &mut ElfFacts,
) -> Result<(), ElfError> {
    let table = file.elf_dynamic_table()?;
    for entry in &table {
        let folders = |list: &[u8]| text(list).split(':').map(str::to_owned).collect();
        match entry.tag {
            DT_NEEDED => facts.needed.push(text(table.string(entry)?)),
            DT_SONAME => facts.soname = Some(text(table.string(entry)?)),
            DT_RPATH => facts.rpath = folders(table.string(entry)?),
            DT_RUNPATH => facts.runpath = folders(table.string(entry)?),
            _ => {}
        }
    }
    Ok(())
}

fn read_versions<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, Elf>,
    facts: &mut ElfFacts,
) -> Result<(), ElfError> {
    let endian = file.endian();
    let Some((mut needs, link)) = file.elf_section_table().gnu_verneed(endian, file.data())? else {
        return Ok(());
    };
    let strings = file.elf_section_table().strings(endian, file.data(), link)?;
    let mut count = 0;
    while let Some((need, mut versions)) = needs.next()? {
        let library = text(need.file(endian, strings)?);
        let names = facts.symbol_versions.entry(library).or_default();
        while let Some(version) = versions.next()? {
            names.push(text(version.name(endian, strings)?));
            count += 1;
            if count > VERSIONS {
                return Err(ElfError::Versions);
            }
        }
        names.sort_unstable();
        names.dedup();
    }
    Ok(())
}

/// The library that the driver brings. Its functions bear no version, so that those of a module
/// which needs it can be told by their names alone.
const DRIVER: &str = "libcuda.so.1";

/// The functions that a module shows Python, and those it wants of the driver. CPython starts a
/// module by `PyInit_NAME`, or by `PyInitU_NAME` for names beyond ASCII.
fn read_functions<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, Elf>,
    facts: &mut ElfFacts,
) -> Result<(), ElfError> {
    let endian = file.endian();
    let wants_driver = facts.needed.iter().any(|library| library == DRIVER);
    let symbols = file.elf_dynamic_symbol_table();
    for (index, symbol) in symbols.enumerate() {
        let name = symbol.name(endian, symbols.strings())?;
        if symbol.is_undefined(endian) {
            if wants_driver && index.0 != 0 && is_driver_function(name) {
                facts.driver_functions.push(text(name));
            }
        } else if let Some(module) = name.strip_prefix(b"PyInit_") {
            facts.init_functions.push(text(module));
        }
    }
    facts.driver_functions.sort_unstable();
    facts.driver_functions.dedup();
    Ok(())
}

/// Functions of the driver are spelled `cuMemAlloc_v2`; those of the runtime, `cudaMalloc`.
fn is_driver_function(name: &[u8]) -> bool {
    name.strip_prefix(b"cu").and_then(<[u8]>::first).is_some_and(u8::is_ascii_uppercase)
}

/// The names that nvcc and the runtime's headers give the sections of device code
/// (`fatbinary_section.h` of the CUDA toolkit).
const DEVICE_SECTIONS: [(&[u8], bool); 2] = [(b".nv_fatbin", false), (b"__nv_relfatbin", true)];

fn read_sections<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, Elf>,
    size: usize,
    facts: &mut ElfFacts,
) -> Result<(), ElfError> {
    let endian = file.endian();
    for section in file.elf_section_table().iter() {
        let name = file.elf_section_table().section_name(endian, section)?;
        let Some((_, relocatable)) = DEVICE_SECTIONS.iter().find(|(device, _)| *device == name)
        else {
            continue;
        };
        if section.sh_type(endian) == SHT_NOBITS {
            continue;
        }
        let Some((start, length)) = section.file_range(endian) else { continue };
        let range = usize::try_from(start)
            .ok()
            .zip(usize::try_from(length).ok())
            .and_then(|(start, length)| Some(start..start.checked_add(length)?))
            .filter(|range| range.end <= size);
        let Some(range) = range else {
            return Err(ElfError::Section(text(name)));
        };
        facts.device_sections.push(DeviceSection {
            name: text(name),
            range,
            relocatable: *relocatable,
        });
    }
    Ok(())
}
