//! What a folder of images holds.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use wheelmill_model::{CudaVersion, PackageName};

use super::names::image_name;
use crate::Impossible;

/// The volume that wheels are left in, when nothing else is said.
const VOLUME: &str = "build-vol";

/// The conda environment that holds what builds need, when nothing else is said.
const CONDA_ENV: &str = "build";

/// The images of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// By name, then by CUDA release.
    pub cells: Vec<PlannedLayout>,
    /// What looks as if it belonged to it and does not: each a sentence without a full stop.
    pub remarks: Vec<String>,
}

/// A cell, and what stands against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedLayout {
    /// The cell.
    pub cell: LayoutCell,
    /// Why it cannot be built; empty when nothing is known against it.
    pub impossible: Vec<Impossible>,
}

/// One image that builds wheels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LayoutCell {
    /// Its name as written: `PyTorch`.
    pub name: String,
    /// The same as a package's name: `pytorch`. The wheels may bear others.
    pub package: PackageName,
    /// The CUDA release that the image is for.
    pub cuda: CudaVersion,
    /// The Dockerfile, which lies outside of its context.
    pub dockerfile: Utf8PathBuf,
    /// The folder that the Dockerfile copies from.
    pub context: Utf8PathBuf,
    /// The name of the image: `pytorch90builder`.
    pub image: String,
    /// The volume that the wheels are left in.
    pub volume: String,
    /// The conda environment that is activated where the image has conda.
    pub conda_env: String,
    /// The installer's path in the image, where it is not left to the image to say.
    pub script: Option<Utf8PathBuf>,
    /// Whether the installer reaches the network.
    pub network: bool,
}

impl LayoutCell {
    /// A cell of a folder, with everything that its names do not say as it always was.
    pub(crate) fn new(
        name: &str,
        package: PackageName,
        cuda: CudaVersion,
        dockerfile: Utf8PathBuf,
        context: Utf8PathBuf,
    ) -> Self {
        Self {
            image: image_name(name, cuda),
            name: name.to_owned(),
            package,
            cuda,
            dockerfile,
            context,
            volume: VOLUME.to_owned(),
            conda_env: CONDA_ENV.to_owned(),
            script: None,
            network: true,
        }
    }

    /// What of its files is not there; their names are shown below a folder.
    pub(crate) fn planned(self, folder: &Utf8Path) -> PlannedLayout {
        let Self { dockerfile, context, .. } = &self;
        let shown = |path: &Utf8PathBuf| path.strip_prefix(folder).unwrap_or(path).to_owned();
        let no_dockerfile = (!dockerfile.is_file()).then(|| Impossible {
            code: "dockerfile-missing",
            message: format!("there is no Dockerfile `{}`", shown(dockerfile)),
            hint: Some("write it, or correct its name in the project file".to_owned()),
        });
        let text = fs_err::read(dockerfile);
        let empty = text.is_ok_and(|text| has_no_instruction(&text)).then(|| Impossible {
            code: "dockerfile-empty",
            message: format!("the Dockerfile `{}` has no instruction", shown(dockerfile)),
            hint: Some("begin it with `FROM`".to_owned()),
        });
        let no_context = (!context.is_dir()).then(|| Impossible {
            code: "context-missing",
            message: format!(
                "`{}` has no folder to copy from: there is no `{}`",
                shown(dockerfile),
                shown(context)
            ),
            hint: Some("make that folder; it may be empty".to_owned()),
        });
        let impossible = no_dockerfile.into_iter().chain(empty).chain(no_context).collect();
        PlannedLayout { cell: self, impossible }
    }

    /// The name of the cell: `PyTorch-cu90`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.name, self.cuda.label())
    }
}

/// Whether a Dockerfile has nothing but comments.
fn has_no_instruction(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.all(|line| line.is_empty() || line.starts_with(b"#"))
}
