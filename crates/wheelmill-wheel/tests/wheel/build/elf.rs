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
    runpath: Option<String>,
    defined: Vec<String>,
    undefined: Vec<String>,
    text_relocations: bool,
    segments: Vec<Segment>,
    versions: Vec<(String, Vec<String>)>,
    sections: Vec<(String, Vec<u8>)>,
}

impl Default for Elf {
    fn default() -> Self {
        Self {
            machine: MACHINE_X86_64,
            needed: vec!["libc.so.6".to_owned()],
            soname: None,
            runpath: None,
            defined: Vec::new(),
            undefined: Vec::new(),
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

    pub(crate) fn init(mut self, module: &str) -> Self {
        self.defined.push(format!("PyInit_{module}"));
        self
    }

    /// Wants a symbol of whoever has it.
    pub(crate) fn undefined(mut self, name: &str) -> Self {
        self.undefined.push(name.to_owned());
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
        if let Some(path) = &self.runpath {
            entry(29, strings.add(path).into());
        }
        if self.text_relocations {
            entry(22, 0);
        }
        entry(0, 0);
        let mut symbols = vec![0; 24];
        for name in &self.defined {
            symbols.extend(strings.add(name).to_le_bytes());
            // A global function of section 1, at no address in particular.
            symbols.extend([0x12, 0, 1, 0]);
            symbols.extend([0; 16]);
        }
        for name in &self.undefined {
            symbols.extend(strings.add(name).to_le_bytes());
            symbols.extend([0x12, 0, 0, 0]);
            symbols.extend([0; 16]);
        }
        let mut needs = Vec::new();
        for (index, (library, versions)) in self.versions.iter().enumerate() {
            let size = 16 + 16 * versions.len() as u32;
            let next = if index + 1 < self.versions.len() { size } else { 0 };
            needs.extend([1_u16, versions.len() as u16].map(u16::to_le_bytes).concat());
            needs.extend([strings.add(library), 16, next].map(u32::to_le_bytes).concat());
            for (index, version) in versions.iter().enumerate() {
                let next = if index + 1 < versions.len() { 16 } else { 0 };
                needs.extend(0_u32.to_le_bytes());
                needs.extend([0_u16, 2].map(u16::to_le_bytes).concat());
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
