//! A folder with the Python packages that a wheel is to run beside.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{PackageName, PythonVersion, Version};

use crate::metadata::Requirement;

/// Why a folder cannot serve as an environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The folder cannot be looked into.
    #[error("cannot look into the environment `{folder}`")]
    Open {
        /// The folder.
        folder: Utf8PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// There are no Python packages.
    #[error("`{folder}` is neither a virtual environment nor a folder of Python packages")]
    NoPackages {
        /// The folder.
        folder: Utf8PathBuf,
    },
}

/// Where the packages are that a wheel is to run beside: a virtual environment, the prefix of a
/// Python, or a folder such as `pip install --target` fills. Of the libraries in it nothing is read
/// until a wheel needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// The folders on Python's path, the one that wheels are installed into first.
    pub site_packages: Vec<Utf8PathBuf>,
    /// The program that would load a wheel's modules, if there is one.
    pub interpreter: Option<Utf8PathBuf>,
    /// The Python, where the folders' names tell it.
    pub python: Option<PythonVersion>,
    /// The packages in it.
    pub packages: BTreeMap<PackageName, Version>,
    /// The CUDA release that its torch was built for, as that says of itself: `12.8`.
    pub torch_cuda: Option<String>,
    /// What its torch requires, as far as it can be read.
    pub(crate) torch_requires: Vec<Requirement>,
    /// Where its links lead when seen from here, if it was made elsewhere.
    links: Option<Links>,
}

/// Links that were made in a container, where a folder bears another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// The folder that the links name.
    pub named: Utf8PathBuf,
    /// The same folder here.
    pub here: Utf8PathBuf,
    /// Whether the container has this machine's own files, so that all other links lead to them.
    pub shares_system: bool,
}

/// The most bytes of a file that describes a package.
const TEXT: u64 = 4 << 20;

impl Environment {
    /// Finds out what is in a folder.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds no Python packages.
    pub fn read(folder: &Utf8Path) -> Result<Self, EnvironmentError> {
        Self::read_as(folder, None)
    }

    /// As [`Environment::read`], for one whose files are links that were made in a container. Links
    /// to files of the container are followed nowhere.
    ///
    /// # Errors
    /// As [`Environment::read`].
    pub fn read_linked(folder: &Utf8Path, links: Links) -> Result<Self, EnvironmentError> {
        Self::read_as(folder, Some(links))
    }

    fn read_as(folder: &Utf8Path, links: Option<Links>) -> Result<Self, EnvironmentError> {
        let failed = |folder: &Utf8Path, source| EnvironmentError::Open {
            folder: folder.to_owned(),
            source,
        };
        let absolute = camino::absolute_utf8(folder).map_err(|source| failed(folder, source))?;
        let names = entries(&absolute).map_err(|source| failed(folder, source))?;
        let (prefix, site_packages) = if let Some(found) = prefix_of(&absolute) {
            found
        } else if holds_packages(&absolute, &names) {
            let prefix = absolute.ancestors().nth(3).filter(|_| absolute.ends_with(SITE_PACKAGES));
            (prefix.map(Utf8Path::to_owned), vec![absolute.clone()])
        } else {
            return Err(EnvironmentError::NoPackages { folder: folder.to_owned() });
        };
        let python = site_packages[0].parent().and_then(Utf8Path::file_name).and_then(python_of);
        let mut environment = Self {
            folder: prefix.clone().unwrap_or(absolute),
            site_packages,
            interpreter: None,
            python,
            packages: BTreeMap::new(),
            torch_cuda: None,
            torch_requires: Vec::new(),
            links,
        };
        environment.interpreter = prefix.as_deref().and_then(|prefix| environment.program(prefix));
        for folder in environment.site_packages.clone() {
            let names = entries(&folder).map_err(|source| failed(&folder, source))?;
            environment.read_packages(&folder, &names);
        }
        environment.torch_cuda = environment.cuda_of_torch();
        Ok(environment)
    }

    /// The version of the torch in it.
    #[must_use]
    pub fn torch(&self) -> Option<&Version> {
        self.packages.iter().find(|(name, _)| name.as_str() == "torch").map(|(_, version)| version)
    }

    /// The first of the folders on Python's path that has a path in it.
    pub(crate) fn find(&self, path: &str) -> Option<Utf8PathBuf> {
        self.site_packages
            .iter()
            .map(|folder| folder.join(path))
            .find(|path| self.real(path).is_some_and(|real| real.exists()))
    }

    /// The file or folder that a path leads to from here; `None` where it leads to a container.
    pub(crate) fn real(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        let Some(links) = &self.links else { return Some(path.to_owned()) };
        let Links { named, here, shares_system } = links;
        match path.read_link_utf8() {
            // Without a container of its own, a build sees the folder where it is.
            Ok(target) if target.starts_with(here) => Some(target),
            Ok(target) => match target.strip_prefix(named) {
                Ok(rest) => Some(here.join(rest)),
                Err(_) => shares_system.then(|| path.to_owned()),
            },
            Err(_) => Some(path.to_owned()),
        }
    }

    /// The program that runs the Python of a prefix.
    fn program(&self, prefix: &Utf8Path) -> Option<Utf8PathBuf> {
        let exact = self.python.map(|python| format!("python{python}"));
        let names = exact.as_deref().into_iter().chain(["python3", "python"]);
        names
            .map(|name| prefix.join("bin").join(name))
            .find(|path| self.real(path).is_some_and(|real| real.is_file()))
    }

    /// A text that describes a package; `None` where it cannot be read.
    pub(crate) fn text(&self, path: &Utf8Path) -> Option<String> {
        use std::io::Read as _;

        let file = fs_err::File::open(self.real(path)?).ok()?;
        let mut bytes = Vec::new();
        file.take(TEXT).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A module of a package's folder, by how its name starts.
    pub(crate) fn find_starting(&self, folder: &str, start: &str) -> Option<Utf8PathBuf> {
        self.find_named(folder, |name| name.starts_with(start) && name.ends_with(".so"))
    }

    /// A file of a package's folder, by its name.
    pub(crate) fn find_named(
        &self,
        folder: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Option<Utf8PathBuf> {
        let folder = self.find(folder)?;
        let name = entries(&folder).ok()?.into_iter().find(|name| is_wanted(name))?;
        Some(folder.join(name))
    }

    fn read_packages(&mut self, folder: &Utf8Path, names: &[String]) {
        for name in names {
            let stem = name.strip_suffix(".dist-info").and_then(|stem| stem.split_once('-'));
            let Some((package, version)) = stem else { continue };
            let (Ok(package), Ok(version)) = (package.parse(), version.parse()) else { continue };
            let package: PackageName = package;
            if package.as_str() == "torch"
                && let Some(metadata) = self.text(&folder.join(name).join("METADATA"))
            {
                let requirements = metadata
                    .lines()
                    .take_while(|line| !line.is_empty())
                    .filter_map(|line| line.strip_prefix("Requires-Dist:"));
                self.torch_requires = requirements.filter_map(|line| line.parse().ok()).collect();
            }
            self.packages.entry(package).or_insert(version);
        }
    }

    fn cuda_of_torch(&self) -> Option<String> {
        let lines = self.text(&self.find("torch/version.py")?)?;
        let line = lines.lines().find(|line| line.starts_with("cuda") && line.contains('='))?;
        let value = line.split('=').nth(1)?.trim().trim_matches(['\'', '"']);
        (value != "None").then(|| value.to_owned())
    }
}

const SITE_PACKAGES: &str = "site-packages";

/// The names in a folder; those that are not UTF-8 are none that are looked for.
fn entries(folder: &Utf8Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.as_std_path().read_dir()? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn python_of(folder: &str) -> Option<PythonVersion> {
    folder.strip_prefix("python")?.parse().ok()
}

/// The folders of packages below a prefix: `lib/python3.11/site-packages`, and the same in `lib64`
/// where that is a folder of its own. With several Pythons, those of the newest.
fn prefix_of(folder: &Utf8Path) -> Option<(Option<Utf8PathBuf>, Vec<Utf8PathBuf>)> {
    let mut found: Vec<(PythonVersion, Utf8PathBuf)> = Vec::new();
    for library in ["lib", "lib64"] {
        let library = folder.join(library);
        if library.is_symlink() {
            continue;
        }
        for name in entries(&library).unwrap_or_default() {
            let packages = library.join(&name).join(SITE_PACKAGES);
            if let Some(python) = python_of(&name)
                && packages.is_dir()
            {
                found.push((python, packages));
            }
        }
    }
    let newest = found.iter().map(|(python, _)| *python).max()?;
    found.retain(|(python, _)| *python == newest);
    Some((Some(folder.to_owned()), found.into_iter().map(|(_, packages)| packages).collect()))
}

fn holds_packages(folder: &Utf8Path, names: &[String]) -> bool {
    folder.ends_with(SITE_PACKAGES) || names.iter().any(|name| name.ends_with(".dist-info"))
}
