//! Pins a recipe's source to its content.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;
use wheelmill_model::{Digest, DigestBuilder, PackageName, PythonVersion, Version};
use wheelmill_recipe::{Recipe, Source};

use super::client::FetchError;
use super::index::{Index, Release, newest};
use super::trouble::IndexError;

/// A source that gives the same bytes on every later day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum PinnedSource {
    /// An archive with a known hash.
    Archive { address: String, digest: Digest },
    /// A revision of a repository; `commit` is known once it was fetched.
    Git { address: String, revision: String, commit: Option<String>, submodules: bool },
    /// A folder of this machine, as it was when it was read.
    Folder { path: Utf8PathBuf, digest: Digest },
}

impl PinnedSource {
    /// What of it decides a wheel.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Archive { digest, .. } => format!("sha256:{digest}"),
            Self::Git { commit, revision, submodules, .. } => {
                let commit = commit.as_ref().unwrap_or(revision);
                format!("git:{commit}{}", if *submodules { "+submodules" } else { "" })
            }
            Self::Folder { digest, .. } => format!("folder:{digest}"),
        }
    }
}

/// Why a source could not be pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The index cannot be asked.
    #[error(transparent)]
    Index(IndexError),
    /// The index does not know the package.
    #[error("there is no package `{package}` on {index}")]
    UnknownPackage {
        /// The package.
        package: PackageName,
        /// The index's address.
        index: String,
    },
    /// The package has no such version.
    #[error("`{package}` has no source archive of version {version}{}", others(near, newest.as_ref()))]
    UnknownVersion {
        /// The package.
        package: PackageName,
        /// The version that was wished for.
        version: Version,
        /// The versions on both sides of it that there are.
        near: Vec<Version>,
        /// The newest that there is.
        newest: Option<Version>,
    },
    /// There are only wheels, or nothing at all.
    #[error("`{0}` publishes no source archive on the index, so there is nothing to build")]
    NoSource(PackageName),
    /// The index promises no hash.
    #[error("the index gives no SHA-256 hash for `{0}`, so the file cannot be checked")]
    NoHash(String),
    /// A source that is not on the index needs a version to be named.
    #[error("`{0}` is built from a repository or an address, so its version must be named")]
    VersionNeeded(PackageName),
    /// The recipe's folder could not be read.
    #[error("could not read the source folder `{path}`")]
    Folder {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl PinError {
    /// What it means that the index could not be asked for a package.
    pub(crate) fn asking(package: &PackageName, index: &Index<'_>, error: FetchError) -> Self {
        let package = package.clone();
        match error {
            FetchError::NotFound { .. } => Self::UnknownPackage { package, index: index.address() },
            reason => Self::Index(IndexError { index: index.address(), reason }),
        }
    }
}

/// Finds the source of a version, or of the newest one, and pins it. A folder, a fixed revision or
/// a fixed archive needs no version to be found: the wheel tells its own.
pub(crate) fn pin(
    recipe: &Recipe,
    version: Option<&Version>,
    python: PythonVersion,
    index: &Index<'_>,
) -> Result<(Option<Version>, PinnedSource), PinError> {
    if version.is_none() && recipe.source.needs_version() {
        return Err(PinError::VersionNeeded(recipe.name.clone()));
    }
    let source = version.map_or_else(|| recipe.source.clone(), |version| recipe.source.at(version));
    let pinned = match source {
        Source::Pypi { name } => {
            return from_index(&name, version, python, index)
                .map(|(version, source)| (Some(version), source));
        }
        Source::Url { address, sha256 } => PinnedSource::Archive { address, digest: sha256 },
        Source::Git { address, revision, submodules } => {
            PinnedSource::Git { address, revision, commit: None, submodules }
        }
        Source::Path(path) => {
            let digest = folder_digest(&path)
                .map_err(|source| PinError::Folder { path: path.clone(), source })?;
            PinnedSource::Folder { path, digest }
        }
    };
    Ok((version.cloned(), pinned))
}

fn from_index(
    name: &PackageName,
    version: Option<&Version>,
    python: PythonVersion,
    index: &Index<'_>,
) -> Result<(Version, PinnedSource), PinError> {
    let releases = index.releases(name).map_err(|error| PinError::asking(name, index, error))?;
    let latest = newest(&releases, Some(python));
    let release = match version {
        Some(version) => {
            releases.iter().rfind(|release| release.version == *version).ok_or_else(|| {
                PinError::UnknownVersion {
                    package: name.clone(),
                    version: version.clone(),
                    near: near(&releases, version),
                    newest: latest.map(|release| release.version.clone()),
                }
            })?
        }
        None => latest.ok_or_else(|| PinError::NoSource(name.clone()))?,
    };
    let digest = release.digest.ok_or_else(|| PinError::NoHash(release.file_name.clone()))?;
    let source = PinnedSource::Archive { address: release.address.clone(), digest };
    Ok((release.version.clone(), source))
}

/// How many versions are named on each side of one that does not exist.
const NEIGHBOURS: usize = 2;

/// The versions next to one that does not exist.
fn near(releases: &[Release], version: &Version) -> Vec<Version> {
    let mut versions: Vec<&Version> =
        releases.iter().filter(|release| !release.yanked).map(|release| &release.version).collect();
    versions.dedup();
    let place = versions.partition_point(|other| *other < version);
    let end = versions.len().min(place + NEIGHBOURS);
    versions[place.saturating_sub(NEIGHBOURS)..end].iter().map(|&near| near.clone()).collect()
}

/// `; next to it are 0.1.8 and 0.1.9; the newest is 0.1.10`.
fn others(near: &[Version], newest: Option<&Version>) -> String {
    let names: Vec<String> = near.iter().map(ToString::to_string).collect();
    let newest = newest
        .filter(|newest| near.last() != Some(newest))
        .map(|newest| format!("; the newest is {newest}"));
    let near = match &names[..] {
        [] => String::new(),
        [one] => format!("; next to it is {one}"),
        [some @ .., last] => format!("; next to it are {} and {last}", some.join(", ")),
    };
    near + &newest.unwrap_or_default()
}

/// The digest of a folder's files: names, executable bits and contents. Version control and build
/// leftovers are no part of the source.
pub(crate) fn folder_digest(folder: &Utf8Path) -> io::Result<Digest> {
    let mut builder = DigestBuilder::new("folder/1");
    // Asked first, since a walk words its errors for its own sake.
    folder.read_dir_utf8()?;
    for entry in source_files(folder) {
        let entry = entry?;
        let name = entry.path().strip_prefix(folder).expect("a walk stays below its root");
        builder = builder.field("name", name.as_os_str().as_encoded_bytes());
        let kind = entry.file_type();
        if kind.is_symlink() {
            let target = fs_err::read_link(entry.path())?;
            builder = builder.field("link", target.as_os_str().as_encoded_bytes());
        } else if kind.is_file() {
            let mode = std::os::unix::fs::PermissionsExt::mode(&entry.metadata()?.permissions());
            builder = builder
                .field("executable", [u8::from(mode & 0o111 != 0)])
                .field("content", Digest::of(&fs_err::read(entry.path())?).as_bytes());
        }
    }
    Ok(builder.finish())
}

/// Everything in a source folder that belongs to the source, in a fixed order.
pub(crate) fn source_files(
    folder: &Utf8Path,
) -> impl Iterator<Item = Result<walkdir::DirEntry, walkdir::Error>> {
    const LEFTOVERS: [&str; 6] = [".git", "__pycache__", ".venv", "build", "dist", "target"];
    WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() != 1 && name != ".git" && name != "__pycache__"
            || !LEFTOVERS.contains(&name.as_ref()) && !name.ends_with(".egg-info")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_changes_with_its_source_and_not_with_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir(path.join("csrc")).unwrap();
        fs_err::write(path.join("csrc/a.cu"), "a").unwrap();
        let before = folder_digest(path).unwrap();
        for leftover in [".git", "build", "dist", "csrc/__pycache__", "x.egg-info"] {
            fs_err::create_dir_all(path.join(leftover)).unwrap();
            fs_err::write(path.join(leftover).join("x"), "x").unwrap();
        }
        assert_eq!(folder_digest(path).unwrap(), before);
        fs_err::create_dir(path.join("csrc/build")).unwrap();
        assert_ne!(folder_digest(path).unwrap(), before, "a folder below the top is source");
        fs_err::remove_dir(path.join("csrc/build")).unwrap();
        fs_err::write(path.join("csrc/a.cu"), "b").unwrap();
        assert_ne!(folder_digest(path).unwrap(), before);
    }
}
