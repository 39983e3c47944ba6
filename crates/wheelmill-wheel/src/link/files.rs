//! The files that the loader would meet: those of an environment, and those of a wheel where it
//! would be installed beside them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use object::ReadCache;

use super::environment::Environment;
use crate::elf::{Linkage, Machine, installed_path};
use crate::inspection::NativeModule;

/// How deep the folders of packages are looked through, and how many names at most.
const DEPTH: usize = 12;
const NAMES: usize = 1 << 20;

/// A file as the loader knows it.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Where it lies, or would once installed.
    pub(crate) path: Utf8PathBuf,
    /// Its path in the wheel, if it is of the wheel.
    pub(crate) in_wheel: Option<String>,
    pub(crate) linkage: Arc<Linkage>,
}

impl Library {
    /// A name for people.
    pub(crate) fn name(&self) -> &str {
        self.in_wheel.as_deref().or(self.path.file_name()).unwrap_or(self.path.as_str())
    }
}

/// The files, each read once.
pub(crate) struct Files<'a> {
    environment: &'a Environment,
    wheel: BTreeMap<Utf8PathBuf, Arc<Library>>,
    machine: Option<Machine>,
    read: Mutex<HashMap<Utf8PathBuf, Option<Arc<Library>>>>,
    /// Every library below the folders of packages, by its name; made when first asked for.
    everywhere: OnceLock<HashMap<String, Utf8PathBuf>>,
}

impl<'a> Files<'a> {
    /// The files of an environment with a wheel's modules installed over them.
    pub(crate) fn new(environment: &'a Environment, modules: &[NativeModule]) -> Self {
        let folder = &environment.site_packages[0];
        let wheel = modules.iter().filter_map(|module| {
            let path = normal(&folder.join(installed_path(&module.path)?));
            let library = Library {
                path: path.clone(),
                in_wheel: Some(module.path.clone()),
                linkage: Arc::clone(&module.linkage),
            };
            Some((path, Arc::new(library)))
        });
        Self {
            environment,
            wheel: wheel.collect(),
            machine: modules.first().map(|module| module.machine),
            read: Mutex::default(),
            everywhere: OnceLock::new(),
        }
    }

    /// The wheel's own files.
    pub(crate) fn of_wheel(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.wheel.values()
    }

    /// Whether there is a file that the loader would try.
    pub(crate) fn exists(&self, path: &Utf8Path) -> bool {
        let is_file = || self.environment.real(path).is_some_and(|real| real.is_file());
        self.wheel.contains_key(path) || is_file()
    }

    /// A library, if there is one for the wheel's machine.
    pub(crate) fn library(&self, path: &Utf8Path) -> Option<Arc<Library>> {
        if let Some(library) = self.wheel.get(path) {
            return Some(Arc::clone(library));
        }
        let lock = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(path) {
            return known.clone();
        }
        let real = self.environment.real(path);
        let library = real
            .and_then(|real| read(&real))
            .filter(|linkage| self.machine.is_none() || linkage.machine == self.machine)
            .map(|linkage| {
                let linkage = Arc::new(linkage);
                Arc::new(Library { path: path.to_owned(), in_wheel: None, linkage })
            });
        lock().insert(path.to_owned(), library.clone());
        library
    }

    /// The program itself, wherever its link leads.
    pub(crate) fn program(&self, path: &Utf8Path) -> Option<Arc<Library>> {
        self.library(&path.canonicalize_utf8().ok()?)
    }

    /// The folders of a list of DT_RPATH or DT_RUNPATH that belong to the environment. What lies
    /// elsewhere differs from machine to machine, except for what the environment's Python itself
    /// names.
    pub(crate) fn expand(&self, library: &Library, folders: &[String]) -> Vec<Utf8PathBuf> {
        let origin = library.path.parent().unwrap_or(Utf8Path::new("/"));
        let inside = |path: &Utf8Path| path.starts_with(&self.environment.folder);
        let of_python = !inside(&library.path) && library.in_wheel.is_none();
        folders
            .iter()
            .filter_map(|folder| {
                let rest =
                    ["$ORIGIN", "${ORIGIN}"].iter().find_map(|word| folder.strip_prefix(word));
                let path = match rest {
                    Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                        normal(&Utf8PathBuf::from(format!("{origin}{rest}")))
                    }
                    None if folder.starts_with('/') => normal(Utf8Path::new(folder)),
                    _ => return None,
                };
                (of_python || inside(&path)).then_some(path)
            })
            .collect()
    }

    /// A library of that name anywhere in the wheel or among the packages.
    pub(crate) fn anywhere(&self, name: &str) -> Option<Utf8PathBuf> {
        let own = self.wheel.values().find(|library| {
            library.path.file_name() == Some(name)
                || library.linkage.soname.as_deref() == Some(name)
        });
        if let Some(library) = own {
            return Some(library.path.clone());
        }
        let everywhere = self.everywhere.get_or_init(|| {
            let mut found = HashMap::new();
            let mut names = NAMES;
            for folder in &self.environment.site_packages {
                gather(folder, DEPTH, &mut names, &mut found);
            }
            found
        });
        everywhere.get(name).cloned()
    }
}

/// Notes the libraries below a folder; links to other folders are not followed.
fn gather(
    folder: &Utf8Path,
    depth: usize,
    names: &mut usize,
    found: &mut HashMap<String, Utf8PathBuf>,
) {
    let Ok(entries) = folder.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        *names = names.saturating_sub(1);
        if *names == 0 {
            return;
        }
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            gather(entry.path(), depth - 1, names, found);
        } else if !kind.is_dir() && entry.file_name().contains(".so") {
            let path = entry.path().to_owned();
            let known = found.entry(entry.file_name().to_owned()).or_insert_with(|| path.clone());
            // Folders tell their names in no order, and the same file is to be named each time.
            *known = path.min(std::mem::take(known));
        }
    }
}

/// Reads the tables of a library, and nothing else of it. It is read, not mapped: a file that
/// somebody shortens meanwhile gives an error, not a signal.
fn read(path: &Utf8Path) -> Option<Linkage> {
    if !path.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    Linkage::read(&ReadCache::new(file)).ok()
}

/// A path without `.` and `..`, by its names alone.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut normal = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}
