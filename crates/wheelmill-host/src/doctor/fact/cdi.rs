//! CDI specifications of NVIDIA's GPUs.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::cdi::{CdiError, CdiSpecification, NVIDIA_GPU, specification_files};

/// A file that says how containers get GPUs.
#[derive(Clone, Debug)]
pub struct CdiFile {
    /// The file.
    pub path: Utf8PathBuf,
    /// What it says; else what is wrong with it.
    pub specification: Result<CdiSpecification, String>,
    /// The files that it speaks of and that are not there.
    pub missing: Vec<Utf8PathBuf>,
    /// A file that it speaks of and that came after it was written, where it does not tell by a name
    /// of which driver it is.
    pub newer: Option<Utf8PathBuf>,
}

impl CdiFile {
    /// Those in some folders. Specifications of other devices are left out; what is none is not,
    /// where its name says that it should be one of NVIDIA's.
    pub(super) fn all(folders: &[Utf8PathBuf]) -> Vec<Self> {
        specification_files(folders).into_iter().filter_map(Self::read).collect()
    }

    fn read(path: Utf8PathBuf) -> Option<Self> {
        let specification = match CdiSpecification::read(&path) {
            Ok(found) if found.kind == NVIDIA_GPU => Ok(found),
            Ok(_) => return None,
            Err(_) if !path.file_name()?.contains("nvidia") => return None,
            Err(error) => Err(reason(&error)),
        };
        let files = specification.iter().flat_map(CdiSpecification::host_files);
        let (there, missing): (Vec<&Utf8Path>, Vec<&Utf8Path>) =
            files.partition(|file| file.exists());
        let tells = specification.as_ref().is_ok_and(|found| found.driver().is_some());
        let written = changed(&path);
        let is_newer = |file: &&&Utf8Path| changed(file) > written;
        let newer = there.iter().find(is_newer).filter(|_| !tells && written.is_some());
        Some(Self {
            newer: newer.map(|file| (*file).to_owned()),
            missing: missing.into_iter().map(Utf8Path::to_owned).collect(),
            specification,
            path,
        })
    }
}

/// When a file came to be what it is: packages set its other time to that of its making.
fn changed(file: &Utf8Path) -> Option<i64> {
    Some(file.metadata().ok()?.ctime())
}

fn reason(error: &CdiError) -> String {
    match error {
        CdiError::Read { source, .. } => source.to_string(),
        CdiError::Parse { reason, .. } => reason.clone(),
    }
}
