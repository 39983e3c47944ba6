//! Writes small shared objects: enough of one for a reader, nothing for a loader.

const MACHINE_X86_64: u16 = 62;

/// A part of memory: its kind, its rights (1 to execute, 2 to write, 4 to read), its bytes.
type Segment = (u32, u32, Vec<u8>);

/// A shared object that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    machine: u16,
    needed: Vec<String>,
    soname: Option<String>,
    rpath: Option<String>,
    runpath: Option<String>,
    symbols: Vec<Symbol>,
    text_relocations: bool,
    segments: Vec<Segment>,
    versions: Vec<(String, Vec<String>)>,
    sections: Vec<(String, Vec<u8>)>,
}

/// A dynamic symbol, and its version with the library that it is wanted of.
#[derive(Clone, Debug, Default)]
struct Symbol {
    name: String,
    undefined: bool,
    weak: bool,
    hidden: bool,
    version: Option<String>,
    library: Option<String>,
}

impl Default for Elf {
    fn default() -> Self {
        Self {
            machine: MACHINE_X86_64,
            needed: vec!["libc.so.6".to_owned()],
            soname: None,
            rpath: None,
            runpath: None,
            symbols: Vec::new(),
            text_relocations: false,
            segments: Vec::new(),
            versions: Vec::new(),
            sections: Vec::new(),
        }
    }
}

impl Elf {
    pub(crate) fn machine(mut self, number: u16) -> Self {
        self.machine = number;
        self
    }

    pub(crate) fn needed(mut self, name: &str) -> Self {
        self.needed.push(name.to_owned());
        self
    }

    pub(crate) fn soname(mut self, name: &str) -> Self {
        self.soname = Some(name.to_owned());
        self
    }

    pub(crate) fn runpath(mut self, path: &str) -> Self {
        self.runpath = Some(path.to_owned());
        self
    }

    pub(crate) fn rpath(mut self, path: &str) -> Self {
        self.rpath = Some(path.to_owned());
        self
    }

    /// Adds memory of the given rights.
    pub(crate) fn load(mut self, rights: u32) -> Self {
        self.segments.push((1, rights, Vec::new()));
        self
    }

    /// Says which rights the stack shall have.
    pub(crate) fn stack(mut self, rights: u32) -> Self {
        self.segments.push((0x6474_e551, rights, Vec::new()));
        self
    }

    /// Says which levels of the x86-64 instruction set it needs, as bits.
    pub(crate) fn isa(mut self, bits: u32) -> Self {
        let words = [4, 16, 5, u32::from_le_bytes(*b"GNU\0"), 0xc000_8002, 4, bits, 0];
        self.segments.push((4, 4, words.map(u32::to_le_bytes).concat()));
        self
    }

    pub(crate) fn text_relocations(mut self) -> Self {
        self.text_relocations = true;
        self
    }

    pub(crate) fn init(self, module: &str) -> Self {
        self.defines(&format!("PyInit_{module}"))
    }

    pub(crate) fn defines(self, name: &str) -> Self {
        self.symbol(name, |_| {})
    }

    pub(crate) fn defines_version(self, name: &str, version: &str, hidden: bool) -> Self {
        self.symbol(name, |symbol| {
            symbol.version = Some(version.to_owned());
            symbol.hidden = hidden;
        })
    }

    pub(crate) fn undefined(self, name: &str) -> Self {
        self.symbol(name, |symbol| symbol.undefined = true)
    }

    pub(crate) fn undefined_weakly(self, name: &str) -> Self {
        self.symbol(name, |symbol| (symbol.undefined, symbol.weak) = (true, true))
    }

    pub(crate) fn undefined_version(self, name: &str, library: &str, version: &str) -> Self {
        let known = self.versions.iter().any(|(known, _)| known == library);
        let elf = if known { self } else { self.version(library, version) };
        elf.symbol(name, |symbol| {
            symbol.undefined = true;
            symbol.version = Some(version.to_owned());
            symbol.library = Some(library.to_owned());
        })
    }

    fn symbol(mut self, name: &str, change: impl FnOnce(&mut Symbol)) -> Self {
        let mut symbol = Symbol { name: name.to_owned(), ..Symbol::default() };
        change(&mut symbol);
        self.symbols.push(symbol);
        self
    }

    /// The versions that the file defines.
    fn definitions(&self) -> Vec<&str> {
        let own = self.symbols.iter().filter(|symbol| !symbol.undefined);
        let mut versions: Vec<&str> = own.filter_map(|symbol| symbol.version.as_deref()).collect();
        versions.dedup();
        versions
    }

    /// The number of a version: first those that are defined, then those that are needed.
    fn number(&self, symbol: &Symbol) -> u16 {
        let Some(version) = symbol.version.as_deref() else { return 1 };
        let definitions = self.definitions();
        let place = match &symbol.library {
            None => definitions.iter().position(|known| *known == version).unwrap(),
            Some(library) => {
                let needs = self.versions.iter().position(|(known, _)| known == library);
                definitions.len() + needs.unwrap()
            }
        };
        place as u16 + 2 + if symbol.hidden { 0x8000 } else { 0 }
    }

    pub(crate) fn version(mut self, library: &str, version: &str) -> Self {
        self.versions.push((library.to_owned(), vec![version.to_owned()]));
        self
    }

    pub(crate) fn section(mut self, name: &str, bytes: &[u8]) -> Self {
        self.sections.push((name.to_owned(), bytes.to_vec()));
        self
    }

    /// The file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut strings = Strings(vec![0]);
        let mut dynamic = Vec::new();
        let mut entry = |tag: u64, value: u64| {
            dynamic.extend(tag.to_le_bytes());
            dynamic.extend(value.to_le_bytes());
        };
        for name in &self.needed {
            entry(1, strings.add(name).into());
        }
        if let Some(name) = &self.soname {
            entry(14, strings.add(name).into());
        }
        if let Some(path) = &self.rpath {
            entry(15, strings.add(path).into());
        }
        if let Some(path) = &self.runpath {
            entry(29, strings.add(path).into());
        }
        if self.text_relocations {
            entry(22, 0);
        }
        entry(0, 0);
        let mut symbols = vec![0; 24];
        let mut numbers = vec![0, 0];
        for symbol in &self.symbols {
            symbols.extend(strings.add(&symbol.name).to_le_bytes());
            // A function, of section 1 where it is defined, at no address in particular.
            let binding = if symbol.weak { 0x22 } else { 0x12 };
            symbols.extend([binding, 0, u8::from(!symbol.undefined), 0]);
            symbols.extend([0; 16]);
            numbers.extend(self.number(symbol).to_le_bytes());
        }
        let definitions = self.definitions();
        let mut defined = Vec::new();
        for (index, version) in definitions.iter().enumerate() {
            let next = if index + 1 < definitions.len() { 28 } else { 0 };
            defined.extend([1, 0, index as u16 + 2, 1].map(u16::to_le_bytes).concat());
            defined.extend([0, 20, next, strings.add(version), 0].map(u32::to_le_bytes).concat());
        }
        let mut needs = Vec::new();
        for (place, (library, versions)) in self.versions.iter().enumerate() {
            let size = 16 + 16 * versions.len() as u32;
            let next = if place + 1 < self.versions.len() { size } else { 0 };
            needs.extend([1_u16, versions.len() as u16].map(u16::to_le_bytes).concat());
            needs.extend([strings.add(library), 16, next].map(u32::to_le_bytes).concat());
            for (index, version) in versions.iter().enumerate() {
                let next = if index + 1 < versions.len() { 16 } else { 0 };
                needs.extend(0_u32.to_le_bytes());
                let number = (definitions.len() + place) as u16 + 2;
                needs.extend([0_u16, number].map(u16::to_le_bytes).concat());
                needs.extend([strings.add(version), next].map(u32::to_le_bytes).concat());
            }
        }
        let mut sections = vec![
            Section { name: ".dynstr", kind: 3, bytes: strings.0, link: 0, info: 0, size: 0 },
            Section { name: ".dynsym", kind: 11, bytes: symbols, link: 1, info: 1, size: 24 },
            Section { name: ".dynamic", kind: 6, bytes: dynamic, link: 1, info: 0, size: 16 },
        ];
        if !needs.is_empty() {
            let info = self.versions.len() as u32;
            let kind = 0x6fff_fffe;
            sections.push(Section {
                name: ".gnu.version_r",
                kind,
                bytes: needs,
                link: 1,
                info,
                size: 0,
            });
        }
        if !defined.is_empty() {
            let info = definitions.len() as u32;
            let kind = 0x6fff_fffd;
            let name = ".gnu.version_d";
            sections.push(Section { name, kind, bytes: defined, link: 1, info, size: 0 });
        }
        if self.symbols.iter().any(|symbol| symbol.version.is_some()) {
            let name = ".gnu.version";
            let kind = 0x6fff_ffff;
            sections.push(Section { name, kind, bytes: numbers, link: 2, info: 0, size: 2 });
        }
        for (name, bytes) in &self.sections {
            let bytes = bytes.clone();
            sections.push(Section { name, kind: 1, bytes, link: 0, info: 0, size: 0 });
        }
        lay_out(self.machine, sections, &self.segments)
    }
}

struct Section<'a> {
    name: &'a str,
    kind: u32,
    bytes: Vec<u8>,
    link: u32,
    info: u32,
    size: u64,
}

struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u32 {
        let place = self.0.len() as u32;
        self.0.extend(text.as_bytes());
        self.0.push(0);
        place
    }
}

fn lay_out(machine: u16, mut sections: Vec<Section<'_>>, segments: &[Segment]) -> Vec<u8> {
    let mut names = Strings(vec![0]);
    let mut name_places: Vec<u32> =
        sections.iter().map(|section| names.add(section.name)).collect();
    name_places.push(names.add(".shstrtab"));
    sections.push(Section {
        name: ".shstrtab",
        kind: 3,
        bytes: names.0,
        link: 0,
        info: 0,
        size: 0,
    });

    let mut body = Vec::new();
    let mut headers = vec![0; 64];
    for (section, name) in sections.iter().zip(name_places) {
        body.resize(body.len().next_multiple_of(8), 0);
        let offset = 64 + body.len() as u64;
        headers.extend([name, section.kind].map(u32::to_le_bytes).concat());
        headers
            .extend([2, offset, offset, section.bytes.len() as u64].map(u64::to_le_bytes).concat());
        headers.extend([section.link, section.info].map(u32::to_le_bytes).concat());
        headers.extend([8, section.size].map(u64::to_le_bytes).concat());
        body.extend(&section.bytes);
    }
    let mut program_headers = Vec::new();
    for (kind, rights, bytes) in segments {
        body.resize(body.len().next_multiple_of(8), 0);
        let (offset, size) = (64 + body.len() as u64, bytes.len() as u64);
        program_headers.extend([*kind, *rights].map(u32::to_le_bytes).concat());
        let fields = [offset, offset, offset, size, size, 8];
        program_headers.extend(fields.map(u64::to_le_bytes).concat());
        body.extend(bytes);
    }
    body.resize(body.len().next_multiple_of(8), 0);
    let program = 64 + body.len() as u64;
    body.extend(program_headers);

    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([3, machine].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    let program = if segments.is_empty() { 0 } else { program };
    file.extend([0, program, 64 + body.len() as u64].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    let count = sections.len() as u16 + 1;
    file.extend(
        [64, 56, segments.len() as u16, 64, count, count - 1].map(u16::to_le_bytes).concat(),
    );
    file.extend(body);
    file.extend(headers);
    file
}
