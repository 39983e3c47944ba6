//! Finds the images of a folder by its names alone.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::{CudaVersion, PackageName};

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
        let dockerfiles = |name: &String| names_in(&configs.join(name)).unwrap_or_default();
        let names = names_in(&configs).unwrap_or_default();
        names.iter().flat_map(dockerfiles).any(|file| release_in(&file).is_some())
    }

    /// The images of a folder; none when it has no Dockerfile with such a name. Names of the two
    /// sorts of folders match whatever their case.
    ///
    /// # Errors
    /// A folder cannot be read, or two of them differ in case only.
    pub fn find(folder: &Utf8Path) -> Result<Option<Self>, LayoutError> {
        let configs = by_lower_case(&folder.join(CONFIGS))?;
        let mut files = Vec::new();
        for (key, config) in &configs {
            for file in names_in(config)?.into_iter().filter(|file| config.join(file).is_file()) {
                if let Some(release) = release_in(&file) {
                    files.push((key, config, release.parse(), config.join(&file)));
                }
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        let contexts = by_lower_case(&folder.join(CONTEXTS))?;
        let mut layout = Self::default();
        for (key, config, release, dockerfile) in files {
            let name = config.file_name().unwrap_or_default();
            let shown = dockerfile.strip_prefix(folder).unwrap_or(&dockerfile);
            match (release, name.parse::<PackageName>()) {
                (Ok(Release(cuda)), Ok(package)) => {
                    let missing = || folder.join(CONTEXTS).join(key);
                    let context = contexts.get(key).cloned().unwrap_or_else(missing);
                    let cell = LayoutCell::new(name, package, cuda, dockerfile.clone(), context);
                    layout.cells.push(cell.planned(folder));
                }
                (Err(NoRelease), _) => layout.remarks.push(format!(
                    "`{shown}` names no CUDA release: `Dockerfile_cuda90_builder` is one for 9.0"
                )),
                (_, Err(error)) => {
                    layout.remarks.push(format!("`{shown}` is left out, since {error}"));
                }
            }
        }
        let has_cell =
            |key: &str| layout.cells.iter().any(|found| found.cell.name.to_lowercase() == *key);
        let lone: Vec<String> = contexts
            .iter()
            .filter(|(key, _)| !has_cell(key))
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

/// What stands for the CUDA release in the name of a Dockerfile, if it is one of ours.
fn release_in(file: &str) -> Option<&str> {
    file.strip_prefix("Dockerfile_cuda")?.strip_suffix("_builder")
}

/// A CUDA release without its dot, as in `90` and `128`.
struct Release(CudaVersion);

struct NoRelease;

impl std::str::FromStr for Release {
    type Err = NoRelease;

    fn from_str(digits: &str) -> Result<Self, NoRelease> {
        format!("cu{digits}").parse().map(Self).map_err(|_| NoRelease)
    }
}

/// The folders in a folder by their names in lower case; none where there is no such folder.
fn by_lower_case(folder: &Utf8Path) -> Result<BTreeMap<String, Utf8PathBuf>, LayoutError> {
    let mut found = BTreeMap::new();
    for name in names_in(folder)? {
        let path = folder.join(&name);
        if !path.is_dir() {
            continue;
        }
        if let Some(first) = found.insert(name.to_lowercase(), path.clone()) {
            return Err(LayoutError::Case(first, path));
        }
    }
    Ok(found)
}

/// The names in a folder, sorted; none where there is no such folder.
fn names_in(folder: &Utf8Path) -> Result<Vec<String>, LayoutError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = || -> std::io::Result<Vec<String>> {
        let entries = folder.read_dir_utf8()?;
        entries.map(|entry| Ok(entry?.file_name().to_owned())).collect()
    };
    let mut names =
        read().map_err(|source| LayoutError::Read { folder: folder.to_owned(), source })?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
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
    fn other_folders_are_of_another_sort() {
        assert_eq!(find(&folder(&["configs/x/Dockerfile", "src/main.rs"])).unwrap(), None);
        assert_eq!(find(&folder(&[])).unwrap(), None);
    }
}
