//! The images of a folder as the text of a project file.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::{Layout, LayoutCell};
use crate::written::{ImageName, ImagePath, LayoutTable, VolumeName};

#[derive(Serialize)]
struct ProjectText {
    layout: BTreeMap<String, LayoutTable>,
}

impl Layout {
    /// What a project file in this folder says to mean the same cells, with every default written
    /// out.
    #[must_use]
    pub fn to_toml(&self, folder: &Utf8Path) -> String {
        let below = |path: &Utf8PathBuf| path.strip_prefix(folder).unwrap_or(path).to_owned();
        let mut layout: BTreeMap<String, LayoutTable> = BTreeMap::new();
        for LayoutCell {
            name,
            cuda,
            dockerfile,
            context,
            image,
            volume,
            conda_env,
            script,
            network,
            ..
        } in self.cells.iter().map(|found| &found.cell)
        {
            let table = layout.entry(name.clone()).or_insert_with(|| LayoutTable {
                context: below(context),
                volume: Some(VolumeName(volume.clone())),
                conda_env: Some(conda_env.clone()),
                script: script.as_ref().map(|script| ImagePath(script.to_string())),
                network: Some(*network),
                dockerfile: BTreeMap::new(),
                image: BTreeMap::new(),
            });
            table.dockerfile.insert(*cuda, below(dockerfile));
            table.image.insert(*cuda, ImageName(image.clone()));
        }
        toml::to_string(&ProjectText { layout }).expect("images can be written as TOML")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;

    #[test]
    fn the_project_file_of_a_folder_means_the_same_cells() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        for path in [
            "configs/PyTorch/Dockerfile_cuda101_builder",
            "configs/PyTorch/Dockerfile_cuda90_builder",
            "configs/a.b/Dockerfile_cuda130_builder",
            "build_contexts/pytorch/x",
        ] {
            let path = folder.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "FROM scratch\n").unwrap();
        }
        let layout = Layout::find(folder).unwrap().unwrap();
        let text = layout.to_toml(folder);
        let project = Project::parse(&text, &folder.join("wheelmill.toml")).unwrap();
        let mut cells = project.layout().unwrap().cells;
        cells.sort_by_key(|found| found.cell.name.to_lowercase());
        let of = |cells: &[crate::PlannedLayout]| -> Vec<(LayoutCell, Vec<&'static str>)> {
            let codes = |found: &crate::PlannedLayout| {
                found.impossible.iter().map(|reason| reason.code).collect()
            };
            cells.iter().map(|found| (found.cell.clone(), codes(found))).collect()
        };
        assert_eq!(of(&cells), of(&layout.cells), "{text}");
        assert!(text.contains("context = \"build_contexts/pytorch\""), "{text}");
    }
}
