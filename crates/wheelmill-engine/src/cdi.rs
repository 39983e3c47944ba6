//! Specifications of the Container Device Interface: files that say what containers get with a
//! device of a name such as `nvidia.com/gpu=all`.
//!
//! Source: the specification, version 1.1.0, of cncf-tags/container-device-interface.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

/// The kind of NVIDIA's GPUs.
pub const NVIDIA_GPU: &str = "nvidia.com/gpu";

/// What of a specification tells which devices there are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CdiSpecification {
    /// The version of the format: `0.5.0`. Programs refuse newer ones than they know.
    pub cdi_version: String,
    /// `nvidia.com/gpu`.
    pub kind: String,
    /// The devices of this kind.
    #[serde(default)]
    pub devices: Vec<CdiDevice>,
    /// What a container gets with any of them.
    #[serde(default)]
    pub container_edits: CdiEdits,
}

/// One device of a specification.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CdiDevice {
    /// `all`, `0`, a UUID.
    pub name: String,
    /// What a container gets with it.
    #[serde(default)]
    pub container_edits: CdiEdits,
}

/// What of this machine containers get, and what is done for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct CdiEdits {
    /// The files and folders.
    #[serde(default)]
    pub mounts: Vec<CdiMount>,
    /// The programs that prepare a container.
    #[serde(default)]
    pub hooks: Vec<CdiHook>,
}

/// A file or folder that containers see.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CdiMount {
    /// Where it lies on this machine.
    pub host_path: Utf8PathBuf,
}

/// A program that prepares a container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CdiHook {
    /// Its file.
    pub path: Utf8PathBuf,
}

/// A specification that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CdiError {
    /// The file could not be read.
    #[error("could not read the CDI specification `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is none.
    #[error("`{path}` is no CDI specification: {reason}")]
    Parse {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl CdiSpecification {
    /// Reads one file, in JSON or YAML.
    ///
    /// # Errors
    /// It cannot be read, or is no specification.
    pub fn read(path: &Utf8Path) -> Result<Self, CdiError> {
        let text = fs_err::read_to_string(path)
            .map_err(|source| CdiError::Read { path: path.to_owned(), source })?;
        let parsed = match path.extension() {
            Some("json") => serde_json::from_str(&text).map_err(|error| error.to_string()),
            _ => serde_saphyr::from_str(&text).map_err(|error| error.to_string()),
        };
        parsed.map_err(|reason| {
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            CdiError::Parse { path: path.to_owned(), reason }
        })
    }

    /// The files of this machine without which no container starts, each once.
    #[must_use]
    pub fn host_files(&self) -> BTreeSet<&Utf8Path> {
        let edits = self.devices.iter().map(|device| &device.container_edits);
        let edits = edits.chain([&self.container_edits]);
        edits
            .flat_map(|edits| {
                let mounts = edits.mounts.iter().map(|mount| mount.host_path.as_path());
                mounts.chain(edits.hooks.iter().map(|hook| hook.path.as_path()))
            })
            .collect()
    }

    /// The version of the driver that it was made for, as the name of the driver's library tells:
    /// `580.65.06` of `/usr/lib/libcuda.so.580.65.06`.
    #[must_use]
    pub fn driver(&self) -> Option<&str> {
        self.host_files().into_iter().find_map(|file| {
            let version = file.file_name()?.strip_prefix("libcuda.so.")?;
            version.contains('.').then_some(version)
        })
    }
}

/// The files in some folders, as programs look for them: `.json` and `.yaml`, not deeper. A folder
/// that is not there has none.
#[must_use]
pub fn specification_files(folders: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    let mut files: Vec<Utf8PathBuf> = folders
        .iter()
        .filter_map(|folder| folder.read_dir_utf8().ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.into_path()))
        .filter(|path| matches!(path.extension(), Some("json" | "yaml")))
        .collect();
    files.sort();
    files
}

/// The specifications of NVIDIA's GPUs in some folders. Files that are none are left out, as
/// container engines leave them out.
pub(crate) fn nvidia_gpus(folders: &[Utf8PathBuf]) -> Vec<CdiSpecification> {
    let read = |path: &Utf8PathBuf| {
        CdiSpecification::read(path)
            .inspect_err(|error| tracing::warn!(%error, "a CDI specification is left out"))
            .ok()
    };
    let files = specification_files(folders);
    files.iter().filter_map(read).filter(|found| found.kind == NVIDIA_GPU).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_are_read_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        // As `nvidia-ctk cdi generate` writes it, shortened.
        let yaml = "---\ncdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: \"0\"\n  \
                    containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n- name: all\n  \
                    containerEdits: {}\ncontainerEdits:\n  env:\n  - NVIDIA_VISIBLE_DEVICES=void\n  \
                    hooks:\n  - hookName: createContainer\n    path: /usr/bin/nvidia-cdi-hook\n    \
                    args: [nvidia-cdi-hook]\n  mounts:\n  - hostPath: /usr/lib/libcuda.so.580.65.06\n    \
                    containerPath: /usr/lib/libcuda.so.580.65.06\n    options: [ro]\n";
        let json = r#"{"cdiVersion": "0.3.0", "kind": "vendor.com/net", "devices": []}"#;
        for (name, text) in
            [("nvidia.yaml", yaml), ("net.json", json), ("notes.txt", "x"), ("bad.yaml", ": :")]
        {
            std::fs::write(path.join(name), text).unwrap();
        }
        let folders = [path.to_owned(), "/no/such/folder".into()];
        assert_eq!(specification_files(&folders).len(), 3);
        let found = nvidia_gpus(&folders);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].cdi_version, "0.5.0");
        let names: Vec<&str> = found[0].devices.iter().map(|device| &*device.name).collect();
        assert_eq!(names, ["0", "all"]);
        let files: Vec<&Utf8Path> = found[0].host_files().into_iter().collect();
        assert_eq!(files, ["/usr/bin/nvidia-cdi-hook", "/usr/lib/libcuda.so.580.65.06"]);
        assert_eq!(found[0].driver(), Some("580.65.06"));
        let error = CdiSpecification::read(&path.join("bad.yaml")).unwrap_err();
        assert!(error.to_string().contains("bad.yaml"), "{error}");
    }
}
