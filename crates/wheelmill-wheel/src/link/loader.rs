//! The libraries of a process, loaded as the dynamic loader would: which files, in which order, and
//! who sees whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;

use super::files::{Files, Library};
use super::system;

/// The most libraries that are loaded for one module.
const LIBRARIES: usize = 4096;

/// The libraries that are in a process, and those of them whose symbols everyone sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    /// By each name that they are known under.
    names: HashMap<String, Arc<Library>>,
    /// What every library's symbols are looked for in first.
    pub(crate) global: Vec<Arc<Library>>,
    /// The libraries of the system and the driver that are in it.
    pub(crate) opaque: BTreeSet<String>,
    /// The folders of the program's own DT_RPATH, which every search comes to.
    program_folders: Vec<Utf8PathBuf>,
}

/// What loading one file brought into the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opened {
    /// The file and everything that it needs, in the order of the search for symbols.
    pub(crate) scope: Vec<Arc<Library>>,
    /// The libraries that were found nowhere, with those that need them.
    pub(crate) missing: BTreeMap<String, Vec<Arc<Library>>>,
    /// The libraries that are there but not where the loader looks, with those that need them.
    pub(crate) astray: BTreeMap<String, Vec<Arc<Library>>>,
    /// The libraries of the system and the driver among them.
    pub(crate) opaque: BTreeSet<String>,
}

/// A library whose needs are to be loaded, with the folders it inherits from those that loaded it.
struct Step {
    library: Arc<Library>,
    inherited: Arc<Vec<Utf8PathBuf>>,
}

impl Process {
    /// A process of a program, or of none that is known.
    pub(crate) fn start(program: Option<&Utf8Path>, files: &Files<'_>) -> Self {
        let mut process = Self::default();
        let Some(program) = program.and_then(|path| files.program(path)) else { return process };
        if program.linkage.runpath.is_none() {
            process.program_folders = files.expand(&program, &program.linkage.rpath);
        }
        let opened = process.open(&program, files);
        process.make_global(&opened);
        process
    }

    /// Lets everyone see the symbols of what was loaded, as `RTLD_GLOBAL` does.
    pub(crate) fn make_global(&mut self, opened: &Opened) {
        for library in &opened.scope {
            if !self.global.iter().any(|known| known.path == library.path) {
                self.global.push(Arc::clone(library));
            }
        }
        self.opaque.extend(opened.opaque.iter().cloned());
    }

    /// The library that a name stands for.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Library>> {
        self.names.get(name)
    }

    /// Every library in the process.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.names.values()
    }

    /// Loads a file and everything that it needs, breadth first.
    pub(crate) fn open(&mut self, root: &Arc<Library>, files: &Files<'_>) -> Opened {
        let mut opened = Opened::default();
        self.know(root);
        opened.scope.push(Arc::clone(root));
        let mut level = vec![Step { library: Arc::clone(root), inherited: Arc::default() }];
        while !level.is_empty() && opened.scope.len() < LIBRARIES {
            level = self.open_level(&level, &mut opened, files);
        }
        opened
    }

    fn open_level(&mut self, level: &[Step], opened: &mut Opened, files: &Files<'_>) -> Vec<Step> {
        // Where each would be found; then all are read at once, since reading takes the time.
        let mut wanted: Vec<(&Step, &str, Option<Utf8PathBuf>, bool)> = Vec::new();
        for step in level {
            for name in &step.library.linkage.needed {
                let known = self.names.contains_key(name.as_str());
                let path = (!known).then(|| self.search(step, name, files)).flatten();
                let astray = !known && path.is_none() && !is_opaque(name);
                let path = if astray { files.anywhere(name) } else { path };
                wanted.push((step, name, path, astray));
            }
        }
        let paths: BTreeSet<&Utf8PathBuf> =
            wanted.iter().filter_map(|(_, _, path, _)| path.as_ref()).collect();
        paths.into_par_iter().for_each(|path| drop(files.library(path)));
        let mut next = Vec::new();
        for (step, name, path, astray) in wanted {
            let known = self.names.get(name).cloned();
            let library = known.or_else(|| files.library(path.as_deref()?));
            let Some(library) = library else {
                if is_opaque(name) {
                    opened.opaque.insert(name.to_owned());
                } else {
                    let needing = opened.missing.entry(name.to_owned()).or_default();
                    needing.push(Arc::clone(&step.library));
                }
                continue;
            };
            if astray {
                let needing = opened.astray.entry(name.to_owned()).or_default();
                needing.push(Arc::clone(&step.library));
            }
            self.names.entry(name.to_owned()).or_insert_with(|| Arc::clone(&library));
            self.know(&library);
            if opened.scope.iter().any(|known| known.path == library.path) {
                continue;
            }
            opened.scope.push(Arc::clone(&library));
            let inherited = Arc::new(self.inherited(step, files));
            next.push(Step { library, inherited });
        }
        next
    }

    fn know(&mut self, library: &Arc<Library>) {
        let file_name = library.path.file_name().map(str::to_owned);
        for name in library.linkage.soname.iter().cloned().chain(file_name) {
            self.names.entry(name).or_insert_with(|| Arc::clone(library));
        }
    }

    /// The folders of DT_RPATH that count for what a library brings in: its own and those of who
    /// brought it. One with a DT_RUNPATH has no DT_RPATH for the loader.
    fn inherited(&self, step: &Step, files: &Files<'_>) -> Vec<Utf8PathBuf> {
        let linkage = &step.library.linkage;
        let own = match linkage.runpath {
            Some(_) => Vec::new(),
            None => files.expand(&step.library, &linkage.rpath),
        };
        own.into_iter().chain(step.inherited.iter().cloned()).collect()
    }

    /// Looks for a library in the order of ld.so(8), except in `LD_LIBRARY_PATH` and the folders of
    /// the system.
    fn search(&self, step: &Step, name: &str, files: &Files<'_>) -> Option<Utf8PathBuf> {
        if name.contains('/') {
            return None;
        }
        let folders = match &step.library.linkage.runpath {
            Some(runpath) => files.expand(&step.library, runpath),
            None => {
                let mut folders = self.inherited(step, files);
                folders.extend(self.program_folders.iter().cloned());
                folders
            }
        };
        folders.iter().map(|folder| folder.join(name)).find(|path| files.exists(path))
    }
}

fn is_opaque(name: &str) -> bool {
    system::is_system(name) || system::is_driver(name)
}
