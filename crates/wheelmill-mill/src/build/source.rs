//! Puts a cell's source where it is built.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use serde::Deserialize;
use walkdir::WalkDir;
use wheelmill_engine::{Cancel, Container, Engine, EngineError, Exit, Mount, OutputSink, Prepared};
use wheelmill_recipe::Recipe;

use crate::environment::{ambient, paths};
use crate::fetch::{self, ArchiveError, Client, FetchError, PinnedSource};
use wheelmill_model::NetworkSettings;

/// Why the source is not in place.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("could not fetch the source")]
    Fetch(#[from] FetchError),
    #[error("could not use the source archive")]
    Archive(#[from] ArchiveError),
    #[error("could not copy the source folder to `{path}`")]
    Copy {
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not clone `{address}` at `{revision}`")]
    Clone { address: String, revision: String, exit: Box<Exit> },
    #[error("the patch `{name}` of the recipe does not apply")]
    Patch { name: String, exit: Box<Exit> },
    #[error("the recipe's subdirectory `{0}` is not in the source")]
    Subdirectory(Utf8PathBuf),
    #[error("could not start a container")]
    Engine(#[source] EngineError),
}

/// What it takes to bring a source.
pub(super) struct SourceContext<'a> {
    pub(super) client: &'a Client,
    pub(super) network: &'a NetworkSettings,
    pub(super) cache: &'a Utf8Path,
    pub(super) engine: &'a dyn Engine,
    /// Holds git and patch, where they are needed.
    pub(super) foundation: &'a Prepared,
    pub(super) cancel: &'a Cancel,
}

const CLONE: &str = r#"
git config --global --add safe.directory '*'
git config --global advice.detachedHead false
cd /build/src
if [ -n "$COMMIT" ]; then
    git init --quiet .
    git remote add origin "$ADDRESS"
    git fetch --quiet --depth 1 origin "$COMMIT" || git fetch --quiet --tags origin
    git checkout --quiet "$COMMIT"
else
    git clone --quiet --depth 1 --branch "$REVISION" "$ADDRESS" . 2>/dev/null || {
        git clone --quiet "$ADDRESS" .
        git checkout --quiet "$REVISION"
    }
fi
[ -z "$SUBMODULES" ] || git submodule update --init --recursive --depth 1
git rev-parse HEAD >/build/out/commit
# What git remembers of the files is made to fit the date that all files of a source get.
find . -name .git -prune -o -type f -exec touch -c -d "@$DATE" {} +
git update-index -q --refresh || :
[ -z "$SUBMODULES" ] || git submodule foreach --quiet --recursive 'git update-index -q --refresh || :'
"#;

/// The date of every file of a source, in seconds after 1970: 1980-01-02. So a source that is brought
/// again is as old as it was, objects made from it are newer, and no tool finds one file of it newer
/// than another. It is a day after the first moment that a zip entry can carry, which west of
/// Greenwich is still 1979.
const DATE: i64 = 315_619_200;

/// Brings a pinned source into `folder`, which must not exist, applies the recipe's patches, and
/// returns the source with its commit where it has one.
pub(super) fn bring(
    context: &SourceContext<'_>,
    source: &PinnedSource,
    recipe: &Recipe,
    folder: &Utf8Path,
    scratch: &Utf8Path,
    output: &mut dyn OutputSink,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<PinnedSource, SourceError> {
    let mut source = source.clone();
    match &mut source {
        PinnedSource::Archive { address, digest } => {
            let downloads = context.cache.join("sources");
            let file =
                context.client.file(address, *digest, &downloads, progress, context.cancel)?;
            fetch::unpack(&file, folder)?;
        }
        PinnedSource::Folder { path, .. } => copy(path, folder)
            .map_err(|source| SourceError::Copy { path: folder.to_owned(), source })?,
        PinnedSource::Git { address, revision, commit, submodules } => {
            fs_err::create_dir_all(folder)
                .map_err(|source| SourceError::Copy { path: folder.to_owned(), source })?;
            let (mut environment, mounts) = ambient(context.network);
            for (name, value) in [
                ("ADDRESS", address.as_str()),
                ("REVISION", revision),
                ("COMMIT", commit.as_deref().unwrap_or_default()),
                ("SUBMODULES", if *submodules { "1" } else { "" }),
                ("DATE", &DATE.to_string()),
                ("GIT_TERMINAL_PROMPT", "0"),
            ] {
                environment.push((name.to_owned(), value.to_owned()));
            }
            let exit = run(context, CLONE, environment, mounts, true, folder, scratch, output)?;
            let found = fs_err::read_to_string(scratch.join("commit")).unwrap_or_default();
            if !exit.success() || found.trim().is_empty() {
                let (address, revision) = (address.clone(), revision.clone());
                return Err(SourceError::Clone { address, revision, exit: Box::new(exit) });
            }
            *commit = Some(found.trim().to_owned());
        }
    }
    for patch in &recipe.patches {
        fs_err::write(scratch.join("patch"), &patch.text)
            .map_err(|source| SourceError::Copy { path: scratch.to_owned(), source })?;
        let script = "cd /build/src && patch -p1 --batch --forward </build/out/patch";
        let exit = run(context, script, Vec::new(), Vec::new(), false, folder, scratch, output)?;
        if !exit.success() {
            return Err(SourceError::Patch { name: patch.name.clone(), exit: Box::new(exit) });
        }
    }
    date(folder).map_err(|source| SourceError::Copy { path: folder.to_owned(), source })?;
    if let Some(subdirectory) = &recipe.subdirectory
        && !folder.join(subdirectory).is_dir()
    {
        return Err(SourceError::Subdirectory(subdirectory.clone()));
    }
    Ok(source)
}

#[expect(
    clippy::too_many_arguments,
    reason = "two callers a few lines above, each argument its own"
)]
fn run(
    context: &SourceContext<'_>,
    script: &str,
    environment: Vec<(String, String)>,
    mut mounts: Vec<Mount>,
    network: bool,
    folder: &Utf8Path,
    scratch: &Utf8Path,
    output: &mut dyn OutputSink,
) -> Result<Exit, SourceError> {
    for (source, target) in [(folder, paths::SOURCE), (scratch, paths::OUTPUT)] {
        mounts.push(Mount { source: source.to_owned(), target: target.into(), writable: true });
    }
    let container = Container {
        name: "source".to_owned(),
        command: ["/bin/sh", "-euc", script].map(str::to_owned).to_vec(),
        environment,
        directory: "/".into(),
        mounts,
        network,
        ..Container::default()
    };
    let exit = context
        .engine
        .run(context.foundation, &container, output, context.cancel)
        .map_err(SourceError::Engine)?;
    if exit.cancelled { Err(SourceError::Engine(EngineError::Cancelled)) } else { Ok(exit) }
}

/// Gives every file of a source the same old date. Links are not followed. A file that has it is not
/// touched: git takes one whose status has changed for an edited one until it looks closer.
fn date(folder: &Utf8Path) -> io::Result<()> {
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        let found = entry.metadata()?;
        if found.is_dir() || (found.mtime(), found.mtime_nsec()) == (DATE, 0) {
            continue;
        }
        let time = TimeSpec::new(DATE, 0);
        utimensat(AT_FDCWD, entry.path(), &time, &time, UtimensatFlags::NoFollowSymlink)?;
    }
    Ok(())
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    for entry in fetch::source_files(from) {
        let entry = entry?;
        let name = entry.path().strip_prefix(from).expect("a walk stays below its root");
        let target = to.as_std_path().join(name);
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(target)?;
        } else if entry.file_type().is_symlink() {
            std::os::unix::fs::symlink(fs_err::read_link(entry.path())?, target)?;
        } else {
            fs_err::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Pyproject {
    #[serde(rename = "build-system")]
    build_system: Option<BuildSystem>,
}

#[derive(Deserialize)]
struct BuildSystem {
    #[serde(default)]
    requires: Vec<String>,
}

/// The build requirements that a source declares (PEP 518), or those that its absence implies.
pub(super) fn declared_requirements(source: &Utf8Path) -> Vec<String> {
    fs_err::read_to_string(source.join("pyproject.toml"))
        .ok()
        .and_then(|text| toml::from_str::<Pyproject>(&text).ok())
        .and_then(|project| project.build_system)
        .map(|system| system.requires)
        .unwrap_or_else(|| vec!["setuptools".to_owned(), "wheel".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_a_source_have_one_date_and_what_links_lead_to_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let source = Utf8Path::from_path(folder.path()).unwrap().join("src");
        fs_err::create_dir_all(source.join("csrc")).unwrap();
        let outside = source.with_file_name("outside");
        for path in [&source.join("setup.py"), &source.join("csrc/a.cu"), &outside] {
            fs_err::write(path, "text").unwrap();
        }
        std::os::unix::fs::symlink(&outside, source.join("link")).unwrap();
        date(&source).unwrap();
        for name in ["setup.py", "csrc/a.cu", "link"] {
            assert_eq!(source.join(name).symlink_metadata().unwrap().mtime(), DATE, "{name}");
        }
        assert_ne!(outside.metadata().unwrap().mtime(), DATE);
        let changed = source.join("setup.py").metadata().unwrap().ctime_nsec();
        date(&source).unwrap();
        assert_eq!(source.join("setup.py").metadata().unwrap().ctime_nsec(), changed);
    }

    #[test]
    fn requirements_come_from_the_source_or_from_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let source = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(declared_requirements(source), ["setuptools", "wheel"]);
        let text =
            "[build-system]\nrequires = [\"scikit-build-core>=0.10\"]\nbuild-backend = \"x\"\n";
        fs_err::write(source.join("pyproject.toml"), text).unwrap();
        assert_eq!(declared_requirements(source), ["scikit-build-core>=0.10"]);
        fs_err::write(source.join("pyproject.toml"), "[tool.black]\n").unwrap();
        assert_eq!(declared_requirements(source), ["setuptools", "wheel"]);
    }
}
