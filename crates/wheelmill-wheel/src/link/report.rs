//! Puts what was not found together: one line for each thing, whoever needs it.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Fate;
use super::environment::Environment;
use super::loader::Process;
use super::owner::{self, Named, Owner};
use super::torch;
use crate::elf::{Undefined, is_cxx11};
use crate::finding::Findings;
use crate::inspection::Inspection;
use crate::platform::{Origin, origin};
use crate::rules::{self, Rule};
use crate::verdict::{NotChecked, Wishes};

/// Something that went wrong when one module was loaded.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A library that was found nowhere.
    Missing { library: String, module: String, imported: bool },
    /// A library that is there, where nobody looks.
    Astray { library: String, module: String, found: String },
    /// A library without a version that was seen in it when the module was linked.
    Version { version: String, library: String, module: String },
    /// A symbol that was not found.
    Symbol { symbol: Undefined, module: String, imported: bool, fate: Fate },
}

/// Everything that went wrong.
pub(crate) struct Report<'a> {
    inspection: &'a Inspection,
    environment: &'a Environment,
    wishes: &'a Wishes,
    /// Libraries that are missing here, and known to come from elsewhere.
    elsewhere: BTreeSet<String>,
    /// Whether the torch that is there has names of the newer C++11 ABI; `None` without a torch.
    cxx11: Option<bool>,
    /// Whether modules that lack libraries are more than a part that the package may do without:
    /// one that was asked for, or half of all.
    pub(crate) must_load: bool,
    /// What is said of each rule: the line, and the modules that it goes for.
    lines: BTreeMap<(usize, Line), BTreeSet<String>>,
    /// The missing symbols of torch, mangled.
    of_torch: BTreeSet<String>,
    open: BTreeSet<String>,
    absent: BTreeMap<String, BTreeSet<String>>,
    not_checked: Vec<NotChecked>,
}

/// A line of evidence, in the order of owners.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    owner: Option<Owner>,
    text: String,
    mangled: Option<String>,
}

/// In the order in which they are told, since one may be the reason of the next.
const RULES: [&Rule; 6] = [
    rules::ELF_LIBRARY_MISSING,
    rules::ELF_OPTIONAL_LIBRARY,
    rules::ELF_LIBRARY_PATH,
    rules::ELF_VERSION_MISSING,
    rules::ELF_UNDEFINED_SYMBOL,
    rules::ELF_SYMBOL_SCOPE,
];

impl<'a> Report<'a> {
    pub(crate) fn new(
        inspection: &'a Inspection,
        environment: &'a Environment,
        wishes: &'a Wishes,
        process: &Process,
    ) -> Self {
        Self {
            inspection,
            environment,
            wishes,
            elsewhere: BTreeSet::new(),
            cxx11: process.named("libc10.so").map(|c10| c10.linkage.c10_cxx11_definitions > 0),
            must_load: true,
            lines: BTreeMap::new(),
            of_torch: BTreeSet::new(),
            open: BTreeSet::new(),
            absent: BTreeMap::new(),
            not_checked: Vec::new(),
        }
    }

    pub(crate) fn not_checked(&mut self, what: &str, why: &str) {
        self.not_checked.push(NotChecked { what: what.to_owned(), why: why.to_owned() });
    }

    fn line(&mut self, rule: &'static Rule, line: Line, module: String) {
        let place = RULES.iter().position(|known| known.code == rule.code);
        let place = place.expect("every rule that is used is in the list");
        self.lines.entry((place, line)).or_default().insert(module);
    }

    pub(crate) fn add(&mut self, trouble: Trouble) {
        let plain = |text: String| Line { owner: None, text, mangled: None };
        match trouble {
            Trouble::Missing { library, module, imported } => {
                let of_packages = is_of_packages(&library);
                if self.wishes.has_elsewhere(&library) {
                    self.elsewhere.insert(library);
                } else if !self.absent_packages(of_packages).is_empty() {
                    self.absent.entry(library).or_default().insert(module);
                } else if !imported || !self.must_load {
                    let line = plain(format!("{library} is missing"));
                    self.line(rules::ELF_OPTIONAL_LIBRARY, line, module);
                } else if of_packages || self.promises_manylinux() {
                    self.line(rules::ELF_LIBRARY_MISSING, plain(library), module);
                }
                // Without a promise the system may have it: `elf.outside-library` says so.
            }
            Trouble::Astray { library, module, found } => {
                let folder = &self.environment.folder;
                let found = found.strip_prefix(folder.as_str()).unwrap_or(&found);
                let line = plain(format!("{library}, in {}", found.trim_start_matches('/')));
                self.line(rules::ELF_LIBRARY_PATH, line, module);
            }
            Trouble::Version { version, library, module } => {
                let line = plain(format!("{version} of {library}"));
                self.line(rules::ELF_VERSION_MISSING, line, module);
            }
            Trouble::Symbol { symbol, module, imported, fate } => {
                self.add_symbol(symbol, module, imported, fate);
            }
        }
    }

    fn add_symbol(&mut self, symbol: Undefined, module: String, imported: bool, fate: Fate) {
        let Named { owner, mut text } = owner::read(&symbol.name);
        let mangled = (text != symbol.name).then(|| symbol.name.clone());
        if let Some(need) = &symbol.version {
            text = format!("{text}@{}", need.version);
        }
        match fate {
            Fate::Open => {
                self.open.insert(module);
            }
            Fate::Nowhere => {
                if owner == Owner::Torch {
                    self.of_torch.insert(symbol.name.clone());
                }
                let since = match owner {
                    Owner::TorchShim => torch::first_release_with(&symbol.name),
                    _ => None,
                };
                let text = match (since, owner) {
                    (Some(since), _) => format!("{text}, of torch {since} and later"),
                    (None, Owner::Unknown) => text,
                    (None, owner) => format!("{text}, of {owner}"),
                };
                let line = Line { owner: Some(owner), text, mangled };
                self.line(rules::ELF_UNDEFINED_SYMBOL, line, module);
            }
            Fate::OutOfScope { provider, of_wheel } => {
                let line =
                    Line { owner: Some(owner), text: format!("{text}, in {provider}"), mangled };
                // A package may well load its own libraries for everyone before it needs them.
                let rule = if imported && !of_wheel {
                    rules::ELF_SYMBOL_SCOPE
                } else {
                    rules::ELF_OPTIONAL_LIBRARY
                };
                self.line(rule, line, module);
            }
        }
    }

    fn promises_manylinux(&self) -> bool {
        let promises =
            |platform: &str| platform.contains("manylinux") || platform.contains("musllinux");
        self.inspection.file_name.tags.iter().any(|tag| promises(&tag.platform))
    }

    /// What the environment lacks of what the wheel requires; for torch's and CUDA's libraries, of
    /// the packages that have such, which torch requires, too.
    fn absent_packages(&self, of_cuda: bool) -> BTreeSet<String> {
        let own = self.inspection.metadata.requirements();
        let of_torch = self.environment.torch_requires.iter().filter(|_| of_cuda).cloned();
        own.chain(of_torch)
            .filter(|requirement| {
                let marker = requirement.marker.as_deref().unwrap_or_default();
                let name = requirement.name.as_str();
                let has_cuda = ["nvidia-", "cuda-"].iter().any(|start| name.starts_with(start));
                let may_have =
                    if of_cuda { has_cuda || name == "torch" } else { marker.is_empty() };
                may_have
                    && !marker.contains("extra")
                    && !self.environment.packages.contains_key(&requirement.name)
            })
            .map(|requirement| requirement.name.to_string())
            .collect()
    }

    pub(crate) fn finish(mut self, findings: &mut Findings, not_checked: &mut Vec<NotChecked>) {
        self.add_abi(findings);
        for ((place, line), modules) in std::mem::take(&mut self.lines) {
            let mangled = line.mangled.map(|name| format!(" [{name}]")).unwrap_or_default();
            findings.add(RULES[place], format!("{}: {}{mangled}", some_of(&modules), line.text));
        }
        if !self.absent.is_empty() {
            let mut packages = BTreeSet::new();
            for library in self.absent.keys() {
                packages.extend(self.absent_packages(is_of_packages(library)));
            }
            let packages = some_names(packages.iter().map(String::as_str));
            let libraries = some_names(self.absent.keys().map(String::as_str));
            let what = format!("whether the modules find {libraries}");
            let why = format!("the environment lacks what the wheel or torch requires: {packages}");
            self.not_checked(&what, &why);
        }
        if !self.elsewhere.is_empty() {
            let libraries = some_names(self.elsewhere.iter().map(String::as_str));
            let what = format!("whether the modules find {libraries}");
            self.not_checked(&what, "they are to come from elsewhere");
        }
        if !self.open.is_empty() {
            let what = format!("some symbols of {}", some_of(&self.open));
            self.not_checked(&what, "libraries that may have them are missing");
        }
        not_checked.append(&mut self.not_checked);
    }

    /// Tells when what is missing was compiled for the other one of the two ABIs that libstdc++ has.
    fn add_abi(&self, findings: &mut Findings) {
        let Some(cxx11) = self.cxx11 else { return };
        let wrong = |name: &&String| match cxx11 {
            true => !is_cxx11(name.as_bytes()) && owner::read(name).text.contains("std::string"),
            false => is_cxx11(name.as_bytes()),
        };
        let count = self.of_torch.iter().filter(wrong).count();
        if count > 0 {
            let torch = self.environment.torch().map(ToString::to_string).unwrap_or_default();
            let (own, others) = if cxx11 { (0, 1) } else { (1, 0) };
            findings.add(
                rules::TORCH_ABI,
                format!(
                    "{count} of {} missing symbols of torch are those of _GLIBCXX_USE_CXX11_ABI={own}; \
                     torch {torch} of the environment was compiled with {others}",
                    self.of_torch.len()
                ),
            );
        }
    }
}

/// Whether a library is one of torch's or of CUDA's that packages bring.
fn is_of_packages(library: &str) -> bool {
    origin(library) == Some(Origin::Distribution)
}

fn some_names<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let shown: Vec<&str> = names.by_ref().take(5).collect();
    let others = match names.count() {
        0 => String::new(),
        1 => " and 1 other".to_owned(),
        count => format!(" and {count} others"),
    };
    format!("{}{others}", shown.join(", "))
}

fn some_of(modules: &BTreeSet<String>) -> String {
    let first = modules.first().map_or("", String::as_str);
    match modules.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} and 1 other"),
        count => format!("{first} and {} others", count - 1),
    }
}
