//! Finds the images of a folder by its names alone.

use std::collections::BTreeMap;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{CudaVersion, PackageName};

use super::names::{digits, names_in, release, release_in};
use super::{Layout, LayoutCell, LayoutError};

/// The folder with a folder of Dockerfiles for each name.
const CONFIGS: &str = "configs";
/// The folder with the context of each name.
const CONTEXTS: &str = "build_contexts";

impl Layout {
    /// Whether a folder holds images in this way: whether it has a Dockerfile of such a name.
    #[must_use]
    pub fn is_in(folder: &Utf8Path) -> bool {
        let configs = folder.join(CONFIGS);
        let names = names_in(configs.as_std_path()).unwrap_or_default();
        names.iter().any(|name| {
            let files = dockerfiles(&configs.as_std_path().join(name));
            files.is_ok_and(|files| !files.is_empty())
        })
    }

    /// The images of a folder; none when it has no Dockerfile with such a name. Names of the two
    /// sorts of folders match whatever their case.
    ///
    /// # Errors
    /// A folder cannot be read, or two of them are one name.
    pub fn find(folder: &Utf8Path) -> Result<Option<Self>, LayoutError> {
        let mut layout = Self::default();
        let configs = configs(folder, &mut layout.remarks)?;
        if configs.is_empty() && layout.remarks.is_empty() {
            return Ok(None);
        }
        let contexts = contexts(folder, &mut layout.remarks)?;
        let named: Vec<String> =
            configs.values().map(|config| config.name.to_lowercase()).collect();
        for (package, Config { name, path, files }) in configs {
            let key = name.to_lowercase();
            let missing = || folder.join(CONTEXTS).join(&key);
            let context = contexts.get(&key).cloned().unwrap_or_else(missing);
            let shown = path.strip_prefix(folder).unwrap_or(&path);
            for (cuda, file) in releases(shown, files, &mut layout.remarks) {
                let (package, context) = (package.clone(), context.clone());
                let cell = LayoutCell::new(&name, package, cuda, path.join(file), context);
                layout.cells.push(cell.planned(folder));
            }
        }
        let lone: Vec<String> = contexts
            .iter()
            .filter(|(key, _)| !named.contains(key))
            .map(|(_, context)| {
                let shown = context.strip_prefix(folder).unwrap_or(context);
                let name = context.file_name().unwrap_or_default();
                format!(
                    "`{shown}` has no Dockerfile: none matches `{CONFIGS}/{name}/Dockerfile_cuda*_builder`"
                )
            })
            .collect();
        layout.remarks.extend(lone);
        layout.cells.sort_by_cached_key(|found| (found.cell.name.to_lowercase(), found.cell.cuda));
        Ok(Some(layout))
    }
}

/// A folder of Dockerfiles.
struct Config {
    name: String,
    path: Utf8PathBuf,
    files: Vec<String>,
}

/// The folders that hold Dockerfiles of ours. Two names are one where a project file says so, too.
fn configs(
    folder: &Utf8Path,
    remarks: &mut Vec<String>,
) -> Result<BTreeMap<PackageName, Config>, LayoutError> {
    let configs = folder.join(CONFIGS);
    let mut found: BTreeMap<PackageName, Config> = BTreeMap::new();
    for name in names_in(configs.as_std_path())? {
        let files = dockerfiles(&configs.as_std_path().join(&name))?;
        if files.is_empty() {
            continue;
        }
        let Some(name) = name.to_str() else {
            remarks.push(not_text(&format!("{CONFIGS}/{}", name.display())));
            continue;
        };
        let path = configs.join(name);
        match name.parse::<PackageName>() {
            Ok(package) => {
                let config = Config { name: name.to_owned(), path: path.clone(), files };
                if let Some(first) = found.insert(package.clone(), config) {
                    return Err(LayoutError::OneName { first: first.path, second: path, package });
                }
            }
            Err(error) => {
                remarks.push(format!("`{CONFIGS}/{name}` is left out, since {error}"));
            }
        }
    }
    Ok(found)
}

/// The names of the Dockerfiles in a folder that are of ours.
fn dockerfiles(config: &Path) -> Result<Vec<String>, LayoutError> {
    let names = names_in(config)?.into_iter();
    let files = names.filter(|name| config.join(name).is_file());
    // One that is not UTF-8 names no release, and is told with a mark in the place of what it has.
    let files = files.map(|name| name.to_string_lossy().into_owned());
    Ok(files.filter(|name| release_in(name).is_some()).collect())
}

/// The Dockerfile of each release. What is none, or one more for a release, is remarked upon.
fn releases(
    shown: &Utf8Path,
    files: Vec<String>,
    remarks: &mut Vec<String>,
) -> BTreeMap<CudaVersion, String> {
    let mut found: BTreeMap<CudaVersion, String> = BTreeMap::new();
    for file in files {
        let written = release_in(&file).unwrap_or_default();
        let cuda = match release(written) {
            Ok(cuda) => cuda,
            Err((meant, cuda)) => {
                remarks.push(format!(
                    "`{shown}/{file}` names no CUDA release: `{meant}` is one for {cuda}"
                ));
                continue;
            }
        };
        let is_exact = written == digits(cuda);
        let Some(other) = found.remove(&cuda) else {
            found.insert(cuda, file);
            continue;
        };
        let (kept, left) = if is_exact { (file, other) } else { (other, file) };
        remarks.push(format!(
            "`{shown}/{left}` is left out: `{shown}/{kept}` is for CUDA {cuda}, too"
        ));
        found.insert(cuda, kept);
    }
    found
}

/// The contexts by their names in lower case.
fn contexts(
    folder: &Utf8Path,
    remarks: &mut Vec<String>,
) -> Result<BTreeMap<String, Utf8PathBuf>, LayoutError> {
    let contexts = folder.join(CONTEXTS);
    let mut found = BTreeMap::new();
    for name in names_in(contexts.as_std_path())? {
        if !contexts.as_std_path().join(&name).is_dir() {
            continue;
        }
        let Some(name) = name.to_str() else {
            remarks.push(not_text(&format!("{CONTEXTS}/{}", name.display())));
            continue;
        };
        let path = contexts.join(name);
        if let Some(first) = found.insert(name.to_lowercase(), path.clone()) {
            return Err(LayoutError::Case(first, path));
        }
    }
    Ok(found)
}

fn not_text(shown: &str) -> String {
    format!("`{shown}` is left out, since its name is not UTF-8")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn folder(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "FROM scratch\n").unwrap();
        }
        folder
    }

    fn find(folder: &tempfile::TempDir) -> Result<Option<Layout>, LayoutError> {
        Layout::find(Utf8Path::from_path(folder.path()).unwrap())
    }

    #[test]
    fn dockerfiles_and_contexts_are_matched_whatever_their_case() {
        let folder = folder(&[
            "configs/PyTorch/Dockerfile_cuda101_builder",
            "configs/PyTorch/Dockerfile_cuda90_builder",
            "configs/PyTorch/Dockerfile_cuda90_runtime",
            "configs/apex/Dockerfile_cuda130_builder",
            "build_contexts/pytorch/installer.sh",
            "build_contexts/Apex/x",
        ]);
        let layout = find(&folder).unwrap().unwrap();
        let cells: Vec<_> = layout
            .cells
            .iter()
            .map(|found| (found.cell.id(), found.cell.image.as_str(), found.impossible.len()))
            .collect();
        let cell = |id: &str, image| (id.to_owned(), image, 0);
        assert_eq!(
            cells,
            [
                cell("apex-cu130", "apex130builder"),
                cell("PyTorch-cu90", "pytorch90builder"),
                cell("PyTorch-cu101", "pytorch101builder"),
            ]
        );
        assert!(layout.cells[0].cell.context.ends_with("build_contexts/Apex"));
        assert!(layout.remarks.is_empty(), "{:?}", layout.remarks);
    }

    #[test]
    fn what_lacks_its_other_half_is_told() {
        let folder = folder(&[
            "configs/PyTorch/Dockerfile_cuda90_builder",
            "configs/PyTorch/Dockerfile_cuda_builder",
            "build_contexts/other/x",
        ]);
        let layout = find(&folder).unwrap().unwrap();
        let [only] = &layout.cells[..] else { panic!("{layout:?}") };
        assert_eq!(only.impossible[0].code, "context-missing");
        assert!(only.impossible[0].message.contains("no `build_contexts/pytorch`"));
        let [release, lone] = &layout.remarks[..] else { panic!("{layout:?}") };
        assert!(release.contains("Dockerfile_cuda_builder` names no CUDA release"), "{release}");
        assert!(lone.contains("`build_contexts/other` has no Dockerfile"), "{lone}");
    }

    #[test]
    fn folders_that_differ_in_case_only_are_refused() {
        let folder = folder(&[
            "configs/PyTorch/Dockerfile_cuda90_builder",
            "build_contexts/pytorch/x",
            "build_contexts/PyTorch/x",
        ]);
        let error = find(&folder).unwrap_err().to_string();
        assert!(
            error.contains("/build_contexts/PyTorch`") && error.contains("contexts/pytorch`"),
            "{error}"
        );
    }

    #[test]
    fn two_folders_of_dockerfiles_that_are_one_name_are_refused_with_both() {
        let both = folder(&[
            "configs/My_Pkg/Dockerfile_cuda90_builder",
            "configs/my-pkg/Dockerfile_cuda101_builder",
        ]);
        let error = find(&both).unwrap_err().to_string();
        for part in ["/configs/My_Pkg` and `", "/configs/my-pkg` are one name, `my-pkg`"] {
            assert!(error.contains(part), "{error}");
        }
        let other = folder(&["configs/A/Dockerfile_cuda90_builder", "configs/a/Dockerfile"]);
        assert_eq!(find(&other).unwrap().unwrap().cells.len(), 1, "one has none of ours");
    }

    #[test]
    fn names_of_no_release_and_of_one_that_is_there_are_told() {
        let folder = folder(&[
            "configs/a/Dockerfile_cuda090_builder",
            "configs/a/Dockerfile_cuda90_builder",
            "configs/a/Dockerfile_cuda12_builder",
            "configs/x y/Dockerfile_cuda90_builder",
            "build_contexts/a/x",
        ]);
        let layout = find(&folder).unwrap().unwrap();
        let [only] = &layout.cells[..] else { panic!("{layout:?}") };
        assert!(only.cell.dockerfile.ends_with("Dockerfile_cuda90_builder"));
        let [name, twelve, zero] = &layout.remarks[..] else { panic!("{layout:?}") };
        assert!(name.contains("`configs/x y` is left out, since `x y` is not a package"), "{name}");
        assert_eq!(
            zero,
            "`configs/a/Dockerfile_cuda090_builder` is left out: \
             `configs/a/Dockerfile_cuda90_builder` is for CUDA 9.0, too"
        );
        assert!(twelve.ends_with("`Dockerfile_cuda120_builder` is one for 12.0"), "{twelve}");
    }

    #[test]
    fn names_that_are_no_text_are_told() {
        let folder = folder(&["configs/a/x"]);
        let name = OsStr::from_bytes(b"na\xefve");
        let config = folder.path().join("configs").join(name);
        fs_err::create_dir(&config).unwrap();
        fs_err::write(config.join("Dockerfile_cuda90_builder"), "FROM scratch\n").unwrap();
        assert!(Layout::is_in(Utf8Path::from_path(folder.path()).unwrap()));
        let layout = find(&folder).unwrap().unwrap();
        assert!(layout.cells.is_empty());
        assert_eq!(
            layout.remarks,
            ["`configs/na\u{fffd}ve` is left out, since its name is not UTF-8"]
        );
    }

    #[test]
    fn an_empty_dockerfile_is_named() {
        let folder = folder(&["configs/a/Dockerfile_cuda90_builder", "build_contexts/a/x"]);
        let file = folder.path().join("configs/a/Dockerfile_cuda90_builder");
        fs_err::write(file, "\n# FROM debian\n").unwrap();
        let layout = find(&folder).unwrap().unwrap();
        let reason = &layout.cells[0].impossible[0];
        assert_eq!(reason.code, "dockerfile-empty");
        assert!(reason.message.contains("`configs/a/Dockerfile_cuda90_builder`"), "{reason:?}");
    }

    #[test]
    fn other_folders_are_of_another_sort() {
        assert_eq!(find(&folder(&["configs/x/Dockerfile", "src/main.rs"])).unwrap(), None);
        assert_eq!(find(&folder(&[])).unwrap(), None);
    }
}
