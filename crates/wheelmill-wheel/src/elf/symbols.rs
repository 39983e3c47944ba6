//! What an ELF file tells the dynamic loader: the libraries it needs, where to look for them, the
//! symbols it defines and those it asks for.
//!
//! Names of defined symbols are kept as hashes: the largest libraries define hundreds of thousands,
//! and all that is ever asked is whether one is there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, FileHeader32, FileHeader64, SHT_DYNAMIC,
    SHT_DYNSYM, SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_GNU_VERSYM, STB_LOCAL, STB_WEAK, STV_HIDDEN,
    STV_INTERNAL, VER_FLG_BASE, VER_FLG_WEAK, Versym,
};
use object::read::elf::{Dyn as _, FileHeader, SectionHeader as _, SectionTable, Sym as _};
use object::{Endianness, FileKind, ReadRef, SectionIndex, StringTable};

use super::machine::Machine;

/// The version numbers that mean "no version" (`VER_NDX_LOCAL`, `VER_NDX_GLOBAL`).
const UNVERSIONED: u16 = 1;

/// The bit of a version number that says: only for who asks for this version.
const HIDDEN: u16 = 0x8000;

/// The most symbols of one file; libtorch_cpu.so has 270,000.
const SYMBOLS: usize = 8 << 20;

/// The most bytes of all names of one file. Names may overlap, so that a small table can make long
/// work.
const NAMES: usize = 1 << 30;

/// The most bytes of the names of all symbols that a file asks for; these are kept.
const UNDEFINED_NAMES: usize = 256 << 20;

/// The most symbol versions of one file, and the most libraries it needs.
const VERSIONS: usize = 1 << 15;

/// The most bytes in the name of a library or a version, or in a list of folders.
const SHORT_NAME: usize = 1 << 14;

/// What an ELF file tells the loader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linkage {
    pub(crate) machine: Option<Machine>,
    pub(crate) soname: Option<String>,
    pub(crate) needed: Vec<String>,
    pub(crate) rpath: Vec<String>,
    /// `None` where the file has no DT_RUNPATH, which differs from an empty one.
    pub(crate) runpath: Option<Vec<String>>,
    /// The symbols it must find in itself or elsewhere; weak ones may stay away.
    pub(crate) undefined: Vec<Undefined>,
    /// How many functions of `c10` it defines that the newer C++11 ABI shows in the names of.
    pub(crate) c10_cxx11_definitions: usize,
    /// The symbols it defines, by the hash of their names.
    defined: Vec<Definition>,
    /// The names of version numbers, both of those it defines and of those it needs.
    versions: BTreeMap<u16, String>,
    /// The versions it defines.
    version_definitions: Vec<String>,
    /// The versions it needs, with the library that must define each.
    version_needs: Vec<Arc<VersionNeed>>,
}

/// A symbol that must be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undefined {
    /// Its name, mangled as it is in the file.
    pub(crate) name: String,
    pub(crate) version: Option<Arc<VersionNeed>>,
    hash: u64,
}

/// A version and the library that it was seen in when the file was linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionNeed {
    pub(crate) version: String,
    pub(crate) library: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Definition {
    hash: u64,
    version: u16,
}

/// What is broken, in a few words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkageError {
    /// The reader of ELF files gave up.
    #[error("{0}")]
    Structure(#[from] object::Error),
    /// The header is none of the known ones.
    #[error("its header is broken")]
    Header,
    /// A name lies outside of the table of names.
    #[error("it names something that is not in its table of names")]
    Name,
    /// A table is too long to be honest.
    #[error("its table of {0} is endless")]
    Endless(&'static str),
}

impl Linkage {
    /// Reads the tables that the loader reads, and nothing else of the file.
    pub(crate) fn read<'data, R: ReadRef<'data>>(data: R) -> Result<Self, LinkageError> {
        match FileKind::parse(data) {
            Ok(FileKind::Elf64) => read_as::<FileHeader64<Endianness>, R>(data),
            Ok(FileKind::Elf32) => read_as::<FileHeader32<Endianness>, R>(data),
            _ => Err(LinkageError::Header),
        }
    }

    /// Whether the loader would take a definition of this file for a symbol that is asked for. The
    /// rules are those of glibc (`check_match` in `elf/dl-lookup.c`).
    pub(crate) fn provides(&self, wanted: &Undefined) -> bool {
        let start = self.defined.partition_point(|known| known.hash < wanted.hash);
        let same = || self.defined[start..].iter().take_while(|known| known.hash == wanted.hash);
        match &wanted.version {
            None => same().any(|known| {
                // The first version of a symbol serves those who were linked before it had one.
                known.version & !HIDDEN <= UNVERSIONED + 1 || known.version & HIDDEN == 0
            }),
            Some(need) => same().any(|known| match self.versions.get(&(known.version & !HIDDEN)) {
                Some(version) => *version == need.version,
                None => known.version & HIDDEN == 0,
            }),
        }
    }

    /// The versions this file needs of a library that does not define them, where it is one that
    /// defines versions at all.
    pub(crate) fn lacking_versions<'a>(
        &'a self,
        library: &'a Self,
        name: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.version_needs
            .iter()
            .filter(move |need| need.library == name && !library.version_definitions.is_empty())
            .map(|need| need.version.as_str())
            .filter(|version| !library.version_definitions.iter().any(|known| known == version))
    }
}

impl Undefined {
    /// A symbol asked for by its name alone.
    pub(crate) fn unversioned(name: &str) -> Self {
        Self { name: name.to_owned(), version: None, hash: hash(name.as_bytes()) }
    }
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.finish()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_as<'data, Elf, R>(data: R) -> Result<Linkage, LinkageError>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let reader = Reader::<Elf, R> { data, endian, sections, names: Cell::new(0) };
    let mut linkage =
        Linkage { machine: Some(Machine(header.e_machine(endian).0)), ..Linkage::default() };
    reader.read_dynamic(&mut linkage)?;
    let needs = reader.read_versions(&mut linkage)?;
    reader.read_symbols(&needs, &mut linkage)?;
    Ok(linkage)
}

struct Reader<'data, Elf: FileHeader<Endian = Endianness>, R: ReadRef<'data>> {
    data: R,
    endian: Endianness,
    sections: SectionTable<'data, Elf, R>,
    /// The bytes of all names looked up so far.
    names: Cell<usize>,
}

type Strings<'data> = StringTable<'data, &'data [u8]>;

impl<'data, Elf: FileHeader<Endian = Endianness>, R: ReadRef<'data>> Reader<'data, Elf, R> {
    /// The strings that a section refers to, as one piece: looking up each in the file would be as
    /// many reads.
    fn strings(&self, section: &Elf::SectionHeader) -> Result<Strings<'data>, LinkageError> {
        let index = SectionIndex(section.sh_link(self.endian) as usize);
        let bytes = self.sections.section(index)?.data(self.endian, self.data)?;
        Ok(StringTable::new(bytes, 0, bytes.len() as u64))
    }

    fn name(&self, strings: Strings<'data>, place: u32) -> Result<&'data [u8], LinkageError> {
        let name = strings.get(place).map_err(|()| LinkageError::Name)?;
        let bytes = self.names.get().saturating_add(name.len() + 1);
        self.names.set(bytes);
        if bytes > NAMES { Err(LinkageError::Endless("names")) } else { Ok(name) }
    }

    /// The name of a library or a version.
    fn short_name(&self, strings: Strings<'data>, place: u32) -> Result<String, LinkageError> {
        let name = self.name(strings, place)?;
        if name.len() > SHORT_NAME { Err(LinkageError::Name) } else { Ok(text(name)) }
    }

    fn read_dynamic(&self, linkage: &mut Linkage) -> Result<(), LinkageError> {
        let endian = self.endian;
        for section in self.sections.iter() {
            if section.sh_type(endian) != SHT_DYNAMIC {
                continue;
            }
            let strings = self.strings(section)?;
            let entries: &[Elf::Dyn] = section.data_as_array(endian, self.data)?;
            for entry in entries {
                let string = || {
                    let place = u32::try_from(entry.val(endian)).unwrap_or(u32::MAX);
                    self.short_name(strings, place)
                };
                let folders = |list: String| list.split(':').map(str::to_owned).collect();
                match entry.tag(endian) {
                    object::elf::DT_NULL => break,
                    DT_NEEDED => linkage.needed.push(string()?),
                    DT_SONAME => linkage.soname = Some(string()?),
                    DT_RPATH => linkage.rpath = folders(string()?),
                    DT_RUNPATH => linkage.runpath = Some(folders(string()?)),
                    _ => {}
                }
                if linkage.needed.len() > VERSIONS {
                    return Err(LinkageError::Endless("libraries"));
                }
            }
        }
        Ok(())
    }

    /// Reads the names of versions, and which library each number is needed of.
    fn read_versions(
        &self,
        linkage: &mut Linkage,
    ) -> Result<BTreeMap<u16, Arc<VersionNeed>>, LinkageError> {
        let endian = self.endian;
        let mut needs = BTreeMap::new();
        let mut count = 0;
        for section in self.sections.iter() {
            match section.sh_type(endian) {
                SHT_GNU_VERDEF => {
                    let strings = self.strings(section)?;
                    let Some((mut definitions, _)) = section.gnu_verdef(endian, self.data)? else {
                        continue;
                    };
                    while let Some((definition, mut names)) = definitions.next()? {
                        let Some(name) = names.next()? else { continue };
                        let name = self.short_name(strings, name.vda_name.get(endian))?;
                        // The first names the file itself and is no version.
                        if !definition.vd_flags.get(endian).contains(VER_FLG_BASE) {
                            let number = definition.vd_ndx.get(endian).0 & !HIDDEN;
                            linkage.versions.insert(number, name.clone());
                            linkage.version_definitions.push(name);
                        }
                        count += 1;
                        if count > VERSIONS {
                            return Err(LinkageError::Endless("symbol versions"));
                        }
                    }
                }
                SHT_GNU_VERNEED => {
                    let strings = self.strings(section)?;
                    let Some((mut libraries, _)) = section.gnu_verneed(endian, self.data)? else {
                        continue;
                    };
                    while let Some((library, mut versions)) = libraries.next()? {
                        let library = self.short_name(strings, library.vn_file.get(endian))?;
                        while let Some(version) = versions.next()? {
                            let name = self.short_name(strings, version.vna_name.get(endian))?;
                            let number = version.vna_other.get(endian).0 & !HIDDEN;
                            let weak = version.vna_flags.get(endian).contains(VER_FLG_WEAK);
                            let need = Arc::new(VersionNeed {
                                version: name.clone(),
                                library: library.clone(),
                            });
                            if !weak {
                                linkage.version_needs.push(Arc::clone(&need));
                            }
                            needs.insert(number, need);
                            linkage.versions.entry(number).or_insert(name);
                            count += 1;
                            if count > VERSIONS {
                                return Err(LinkageError::Endless("symbol versions"));
                            }
                        }
                        count += 1;
                        if count > VERSIONS {
                            return Err(LinkageError::Endless("symbol versions"));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(needs)
    }

    fn read_symbols(
        &self,
        needs: &BTreeMap<u16, Arc<VersionNeed>>,
        linkage: &mut Linkage,
    ) -> Result<(), LinkageError> {
        let endian = self.endian;
        let find = |kind| self.sections.iter().find(|section| section.sh_type(endian) == kind);
        let Some(section) = find(SHT_DYNSYM) else { return Ok(()) };
        let strings = self.strings(section)?;
        let symbols: &[Elf::Sym] = section.data_as_array(endian, self.data)?;
        let versions: &[Versym<Endianness>] = match find(SHT_GNU_VERSYM) {
            Some(section) => section.data_as_array(endian, self.data)?,
            None => &[],
        };
        if symbols.len() > SYMBOLS {
            return Err(LinkageError::Endless("symbols"));
        }
        let mut bytes = 0;
        for (index, symbol) in symbols.iter().enumerate().skip(1) {
            if symbol.st_bind() == STB_LOCAL {
                continue;
            }
            let undefined = symbol.is_undefined(endian);
            if undefined && symbol.st_bind() == STB_WEAK
                || !undefined && matches!(symbol.st_visibility(), STV_HIDDEN | STV_INTERNAL)
            {
                continue;
            }
            let name = self.name(strings, symbol.st_name(endian))?;
            let version =
                versions.get(index).map_or(UNVERSIONED, |version| version.0.get(endian).0);
            if undefined {
                bytes += name.len();
                if bytes > UNDEFINED_NAMES {
                    return Err(LinkageError::Endless("symbols"));
                }
                linkage.undefined.push(Undefined {
                    name: text(name),
                    version: needs.get(&(version & !HIDDEN)).cloned(),
                    hash: hash(name),
                });
            } else {
                let is_c10 = name.starts_with(b"_ZN3c10") || name.starts_with(b"_ZNK3c10");
                linkage.c10_cxx11_definitions += usize::from(is_c10 && is_cxx11(name));
                linkage.defined.push(Definition { hash: hash(name), version });
            }
        }
        linkage.defined.sort_unstable();
        linkage.defined.shrink_to_fit();
        Ok(())
    }
}

/// Whether a name is mangled by the newer of the two ABIs that libstdc++ has for strings and lists:
/// `__cxx11` stands in names that use `std::string`, `[abi:cxx11]` at functions that return it.
pub(crate) fn is_cxx11(name: &[u8]) -> bool {
    let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    name.starts_with(b"_Z") && (contains(b"7__cxx11") || contains(b"B5cxx11"))
}
