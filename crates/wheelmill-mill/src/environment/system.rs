//! What comes from the distribution: compilers, headers and tools that the base lacks.

use camino::Utf8Path;
use wheelmill_engine::Step;
use wheelmill_model::PythonVersion;
use wheelmill_recipe::SystemPackages;

/// Families of distributions, by their package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `apt-get`: Debian, Ubuntu and theirs.
    Debian,
    /// `dnf`: Fedora, RHEL, Rocky, Alma, UBI.
    Fedora,
    /// `zypper`: openSUSE, SLES.
    Suse,
    /// `pacman`: Arch.
    Arch,
    /// `apk`: Alpine.
    Alpine,
}

impl Family {
    const ALL: [Self; 5] = [Self::Debian, Self::Fedora, Self::Suse, Self::Arch, Self::Alpine];

    /// The word for it in recipes.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Fedora => "fedora",
            Self::Suse => "suse",
            Self::Arch => "arch",
            Self::Alpine => "alpine",
        }
    }

    /// The family whose package manager this root has.
    pub(crate) fn of_root(root: &Utf8Path) -> Option<Self> {
        let programs = ["apt-get", "dnf", "zypper", "pacman", "apk"];
        Self::ALL.into_iter().zip(programs).find_map(|(family, program)| {
            ["usr/bin", "bin", "sbin"]
                .iter()
                .any(|folder| root.join(folder).join(program).exists())
                .then_some(family)
        })
    }
}

/// A thing that builds need, by its general name, which recipes use too.
struct Thing {
    name: &'static str,
    /// Any of these files shows that it is there. `{python}` is the release.
    shown_by: &'static [&'static str],
    /// Packages, in the order of [`Family::ALL`].
    packages: [&'static str; 5],
}

const THINGS: [Thing; 13] = [
    Thing {
        name: "c++",
        shown_by: &["usr/bin/g++", "usr/local/bin/g++", "opt/rh/gcc-toolset-*/root/usr/bin/g++"],
        packages: ["g++", "gcc-c++", "gcc-c++", "gcc", "g++"],
    },
    Thing {
        name: "python-headers",
        shown_by: &[
            "usr/include/python{python}/Python.h",
            "usr/local/include/python{python}/Python.h",
        ],
        packages: ["python{python}-dev", "python3-devel", "python3-devel", "python", "python3-dev"],
    },
    Thing { name: "git", shown_by: &["usr/bin/git"], packages: ["git"; 5] },
    Thing { name: "patch", shown_by: &["usr/bin/patch"], packages: ["patch"; 5] },
    Thing { name: "make", shown_by: &["usr/bin/make"], packages: ["make"; 5] },
    Thing { name: "cmake", shown_by: &["usr/bin/cmake"], packages: ["cmake"; 5] },
    Thing {
        name: "pkg-config",
        shown_by: &["usr/bin/pkg-config"],
        packages: ["pkg-config", "pkgconf-pkg-config", "pkg-config", "pkgconf", "pkgconf"],
    },
    Thing {
        name: "zlib",
        shown_by: &["usr/include/zlib.h"],
        packages: ["zlib1g-dev", "zlib-devel", "zlib-devel", "zlib", "zlib-dev"],
    },
    Thing {
        name: "libjpeg",
        shown_by: &["usr/include/jpeglib.h"],
        packages: [
            "libjpeg-dev",
            "libjpeg-turbo-devel",
            "libjpeg8-devel",
            "libjpeg-turbo",
            "libjpeg-turbo-dev",
        ],
    },
    Thing {
        name: "libpng",
        shown_by: &["usr/include/png.h"],
        packages: ["libpng-dev", "libpng-devel", "libpng16-devel", "libpng", "libpng-dev"],
    },
    Thing {
        name: "libwebp",
        shown_by: &["usr/include/webp/decode.h"],
        packages: ["libwebp-dev", "libwebp-devel", "libwebp-devel", "libwebp", "libwebp-dev"],
    },
    Thing {
        name: "numactl",
        shown_by: &["usr/include/numa.h"],
        packages: ["libnuma-dev", "numactl-devel", "libnuma-devel", "numactl", "numactl-dev"],
    },
    Thing {
        name: "openblas",
        shown_by: &[
            "usr/include/x86_64-linux-gnu/openblas-pthread/cblas.h",
            "usr/include/openblas/cblas.h",
        ],
        packages: [
            "libopenblas-dev",
            "openblas-devel",
            "openblas-devel",
            "openblas",
            "openblas-dev",
        ],
    },
];

/// The packages of each family that a build needs, in a fixed order.
pub(crate) struct Wanted {
    lists: Vec<(Family, Vec<String>)>,
    /// Things of ours, so that a root can be asked for them without its package manager.
    things: Vec<&'static Thing>,
    python: PythonVersion,
    /// Whether the distribution is asked for the whole Python, and may not have it.
    whole_python: bool,
}

/// What of Python a build needs from the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PythonNeed {
    /// Nothing: uv brings it.
    None,
    /// The headers of the interpreter that is there.
    Headers,
    /// All of it, if it has that release; else uv brings it.
    IfThere,
}

/// What a build needs from the distribution: a compiler, the headers of the base's own Python,
/// what the recipe names.
pub(crate) fn wanted(
    packages: &SystemPackages,
    python: PythonVersion,
    need: PythonNeed,
    git: bool,
    patch: bool,
) -> Wanted {
    let mut names = vec!["c++"];
    let headers = need == PythonNeed::Headers;
    for (name, needed) in [("python-headers", headers), ("git", git), ("patch", patch)] {
        if needed {
            names.push(name);
        }
    }
    names.extend(packages.names.iter().map(String::as_str));
    let things: Vec<&'static Thing> =
        THINGS.iter().filter(|thing| names.contains(&thing.name)).collect();
    let lists = Family::ALL
        .into_iter()
        .enumerate()
        .map(|(column, family)| {
            let ours = things.iter().map(|thing| spelled(thing.packages[column], python));
            let theirs = packages.by_family.get(family.as_str()).into_iter().flatten().cloned();
            let mut list: Vec<String> = ours.chain(theirs).collect();
            list.sort();
            list.dedup();
            (family, list)
        })
        .collect();
    Wanted { lists, things, python, whole_python: need == PythonNeed::IfThere }
}

fn spelled(text: &str, python: PythonVersion) -> String {
    text.replace("{python}", &python.to_string())
}

impl Wanted {
    /// Whether a root has all of it, as far as files can tell.
    pub(crate) fn all_in(&self, root: &Utf8Path) -> bool {
        self.missing_in(root).is_empty()
    }

    /// What a root lacks, as far as files can tell: packages by the names that its distribution
    /// gives them, where that is known.
    pub(crate) fn missing_in(&self, root: &Utf8Path) -> Vec<String> {
        let family = Family::of_root(root);
        let column = family.and_then(|family| Family::ALL.iter().position(|of| *of == family));
        let is_there = |file: &&str| root.join(spelled(file, self.python)).exists();
        let things =
            self.things.iter().filter(|thing| !thing.shown_by.iter().any(is_there)).map(|thing| {
                let package = column.map_or(thing.name, |column| thing.packages[column]);
                spelled(package, self.python)
            });
        let of_things = |package: &String| {
            self.things.iter().any(|thing| {
                thing.packages.iter().any(|name| spelled(name, self.python) == *package)
            })
        };
        let lists = self.lists.iter().filter(|(of, _)| Some(*of) == family);
        let others = lists.flat_map(|(_, list)| list).filter(|package| {
            let is_there = family == Some(Family::Debian) && debian_has(root, package);
            !is_there && !of_things(package)
        });
        things.chain(others.cloned()).collect()
    }

    /// The step that brings what is missing, by whichever package manager the base has. Over a root
    /// that can be looked at, it is named after what that lacks.
    pub(crate) fn step(&self, missing_on: Option<&Utf8Path>) -> Step {
        let mut environment: Vec<(String, String)> = self
            .lists
            .iter()
            .map(|(family, list)| {
                (format!("PACKAGES_{}", family.as_str().to_uppercase()), list.join(" "))
            })
            .collect();
        if self.whole_python {
            environment.push(("PYTHON".to_owned(), self.python.to_string()));
        }
        let names = match missing_on {
            Some(root) => self.missing_in(root),
            None => self.things.iter().map(|thing| thing.name.to_owned()).collect(),
        };
        Step {
            title: format!("system packages: {}", names.join(", ")),
            command: ["/bin/sh", "-euc", SCRIPT].map(str::to_owned).to_vec(),
            environment,
            ambient: Vec::new(),
            inputs: Vec::new(),
            mounts: Vec::new(),
            network: true,
            system: true,
        }
    }
}

fn debian_has(root: &Utf8Path, package: &str) -> bool {
    let info = root.join("var/lib/dpkg/info");
    ["", ":amd64", ":arm64"].iter().any(|arch| info.join(format!("{package}{arch}.list")).exists())
}

const SCRIPT: &str = r#"
if command -v apt-get >/dev/null; then
    missing=
    for package in $PACKAGES_DEBIAN; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -z "${PYTHON:-}" ] || [ -e "/usr/include/python$PYTHON/Python.h" ] || python="python$PYTHON-dev"
    [ -n "$missing${python:-}" ] || exit 0
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    [ -z "$missing" ] || apt-get install -q -y --no-install-recommends $missing
    [ -z "${python:-}" ] || apt-get install -q -y --no-install-recommends "$python" "python$PYTHON" ||
        echo "the distribution has no Python $PYTHON"
elif command -v dnf >/dev/null; then
    dnf install -y --setopt=install_weak_deps=False $PACKAGES_FEDORA
    [ -z "${PYTHON:-}" ] || dnf install -y --setopt=install_weak_deps=False "python$PYTHON-devel" ||
        echo "the distribution has no Python $PYTHON"
elif command -v yum >/dev/null; then
    yum install -y $PACKAGES_FEDORA
elif command -v zypper >/dev/null; then
    zypper --non-interactive install --no-recommends $PACKAGES_SUSE
elif command -v pacman >/dev/null; then
    pacman -Sy --noconfirm --needed $PACKAGES_ARCH
elif command -v apk >/dev/null; then
    apk add --no-cache $PACKAGES_ALPINE
else
    echo "no package manager that is known (apt-get, dnf, zypper, pacman, apk): choose a base that has a C++ compiler and Python headers" >&2
    exit 1
fi
"#;

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: PythonVersion = PythonVersion::new(3, 11);

    #[test]
    fn every_general_name_is_something_that_can_be_installed() {
        assert_eq!(THINGS.map(|thing| thing.name), wheelmill_recipe::facts::GENERAL_PACKAGES);
    }

    #[test]
    fn a_root_without_the_headers_needs_the_step() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let wanted = wanted(&SystemPackages::default(), PYTHON, PythonNeed::Headers, false, false);
        for file in ["usr/bin/apt-get", "usr/bin/g++"] {
            fs_err::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs_err::write(root.join(file), "").unwrap();
        }
        assert!(!wanted.all_in(root));
        fs_err::create_dir_all(root.join("usr/include/python3.11")).unwrap();
        fs_err::write(root.join("usr/include/python3.11/Python.h"), "").unwrap();
        assert!(wanted.all_in(root));
    }

    #[test]
    fn a_package_of_the_distribution_is_known_by_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for file in ["usr/bin/apt-get", "usr/bin/g++"] {
            fs_err::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs_err::write(root.join(file), "").unwrap();
        }
        let mut packages = SystemPackages::default();
        packages.by_family.insert("debian".to_owned(), vec!["libboost-dev".to_owned()]);
        let wanted = wanted(&packages, PYTHON, PythonNeed::None, false, false);
        assert!(!wanted.all_in(root));
        fs_err::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
        fs_err::write(root.join("var/lib/dpkg/info/libboost-dev:amd64.list"), "").unwrap();
        assert!(wanted.all_in(root));
        let (_, value) = &wanted.step(None).environment[0];
        assert_eq!(value, "g++ libboost-dev");
    }
}
