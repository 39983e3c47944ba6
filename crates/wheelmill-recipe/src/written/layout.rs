//! Images of the user's own as written.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wheelmill_model::CudaVersion;

use super::daemon::{ImageName, ImagePath, VolumeName};

/// An image that builds wheels by an installer in it, with a Dockerfile for each CUDA release.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LayoutTable {
    /// The folder that the Dockerfiles copy from, relative to this file.
    #[schemars(with = "String")]
    pub(crate) context: Utf8PathBuf,
    /// The volume that the installer leaves its wheels in, at `/builds`. Default: `build-vol`.
    #[schemars(with = "Option<String>")]
    pub(crate) volume: Option<VolumeName>,
    /// The conda environment that is activated where the image has conda. Default: `build`.
    pub(crate) conda_env: Option<String>,
    /// The installer's path in the image. Default: the image's label `dev.wheelmill.installer`,
    /// else the only `/opt/**/installer.sh`.
    #[schemars(with = "Option<String>")]
    pub(crate) script: Option<ImagePath>,
    /// Whether the installer reaches the network. Default: `true`.
    pub(crate) network: Option<bool>,
    /// The Dockerfile of each CUDA release, relative to this file.
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) dockerfile: BTreeMap<CudaVersion, Utf8PathBuf>,
    /// The name of the image of each CUDA release. Default: `pytorch90builder` for `PyTorch` and
    /// 9.0.
    #[schemars(with = "BTreeMap<String, String>")]
    #[serde(default)]
    pub(crate) image: BTreeMap<CudaVersion, ImageName>,
}
