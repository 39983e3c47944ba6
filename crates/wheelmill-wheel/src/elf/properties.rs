//! What a module asks of the loader beside its libraries: rights of its memory, and the processor.

use std::fmt;

use object::elf::{
    DF_TEXTREL, DT_FLAGS, DT_TEXTREL, EM_386, EM_X86_64, GNU_PROPERTY_X86_ISA_1_NEEDED, PF_W, PF_X,
    PT_GNU_STACK, PT_LOAD,
};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader as _};
use object::{Endianness, elf};
use serde::{Serialize, Serializer};

/// A level of the x86-64 instruction set that goes beyond the first (x86-64 psABI, "Machine").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsaLevel {
    /// `x86-64-v2`: SSE4.2 and what came with it, in every processor since about 2009.
    V2,
    /// `x86-64-v3`: AVX2.
    V3,
    /// `x86-64-v4`: AVX-512.
    V4,
}

impl fmt::Display for IsaLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::V2 => "x86-64-v2",
            Self::V3 => "x86-64-v3",
            Self::V4 => "x86-64-v4",
        })
    }
}

impl Serialize for IsaLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a module asks of the loader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoadProperties {
    /// Whether the stack of the whole process must be made executable for it.
    pub executable_stack: bool,
    /// Whether the loader must write into its code.
    pub text_relocations: bool,
    /// Whether memory of it is writable and executable at once.
    pub writable_code: bool,
    /// The processors that it says it needs, where those of the first level do not do.
    pub isa_level: Option<IsaLevel>,
}

/// Reads them.
pub(super) fn read<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, Elf>,
) -> Result<LoadProperties, object::Error> {
    let endian = file.endian();
    let mut properties = LoadProperties::default();
    let (mut loads, mut stack) = (false, None);
    for segment in file.elf_program_headers() {
        let flags = segment.p_flags(endian);
        match segment.p_type(endian) {
            PT_LOAD => {
                loads = true;
                properties.writable_code |= flags.contains(PF_W) && flags.contains(PF_X);
            }
            PT_GNU_STACK => stack = Some(flags.contains(PF_X)),
            _ => {}
        }
        if let Some(level) = isa_level(file, segment)? {
            properties.isa_level = properties.isa_level.max(Some(level));
        }
    }
    // glibc on x86 takes a module that says nothing of the stack for one that needs it executable
    // (`DEFAULT_STACK_PERMS` of its ports).
    let machine = file.elf_header().e_machine(endian);
    let default = loads && matches!(machine, EM_386 | EM_X86_64);
    properties.executable_stack = stack.unwrap_or(default);
    for entry in &file.elf_dynamic_table()? {
        properties.text_relocations |= match entry.tag {
            DT_TEXTREL => true,
            DT_FLAGS => entry.val & DF_TEXTREL.0 != 0,
            _ => false,
        };
    }
    Ok(properties)
}

/// What the notes of one segment say of the processor.
fn isa_level<Elf: FileHeader<Endian = Endianness>>(
    file: &ElfFile<'_, Elf>,
    segment: &Elf::ProgramHeader,
) -> Result<Option<IsaLevel>, object::Error> {
    let endian = file.endian();
    // A note that cannot be read asks for nothing: the loader passes over it, too.
    let Ok(Some(mut notes)) = segment.notes(endian, file.data()) else { return Ok(None) };
    let mut level = None;
    while let Ok(Some(note)) = notes.next() {
        let Some(mut properties) = note.gnu_properties(endian) else { continue };
        while let Ok(Some(property)) = properties.next() {
            if property.pr_type() != GNU_PROPERTY_X86_ISA_1_NEEDED {
                continue;
            }
            let bits = property.data_u32(endian)?;
            for (bit, asked) in [
                (elf::GNU_PROPERTY_X86_ISA_1_V2, IsaLevel::V2),
                (elf::GNU_PROPERTY_X86_ISA_1_V3, IsaLevel::V3),
                (elf::GNU_PROPERTY_X86_ISA_1_V4, IsaLevel::V4),
            ] {
                if bits & bit != 0 {
                    level = level.max(Some(asked));
                }
            }
        }
    }
    Ok(level)
}
