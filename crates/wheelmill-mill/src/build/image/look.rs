//! What an image and its volume hold: installers and wheels.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::BuiltImage;
use wheelmill_recipe::LayoutCell;

use crate::layout::{INSTALLER_LABEL, INSTALLER_NAME, INSTALLERS};

/// Why it is not known what builds.
#[derive(Debug, thiserror::Error)]
pub(in crate::build) enum InstallerError {
    #[error("the image has no `{INSTALLER_NAME}` below `{INSTALLERS}`, and no label names another")]
    None,
    #[error("the image has several installers: {}", list(.0))]
    Several(Vec<Utf8PathBuf>),
    #[error("could not look into the image: {0}")]
    Look(String),
}

fn list(paths: &[Utf8PathBuf]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    quoted.join(", ")
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) installers: Vec<Utf8PathBuf>,
    /// Size, inode and time of each wheel, in the words of `stat`.
    pub(super) wheels: BTreeMap<Utf8PathBuf, String>,
}

impl Look {
    /// Reads what the container printed.
    pub(super) fn parse(text: &str) -> Self {
        let mut look = Self::default();
        for line in text.lines() {
            if let Some(path) = line.strip_prefix("installer ") {
                look.installers.push(path.into());
            } else if let Some((state, path)) =
                line.strip_prefix("wheel ").and_then(|rest| rest.split_once('|'))
            {
                look.wheels.insert(path.into(), state.to_owned());
            }
        }
        look.installers.sort();
        look
    }

    /// The wheels that were not there before, or have been written since.
    pub(super) fn news_since(&self, before: &Self) -> Vec<&Utf8Path> {
        let is_new =
            |(path, state): &(&Utf8PathBuf, &String)| before.wheels.get(*path) != Some(*state);
        self.wheels.iter().filter(is_new).map(|(path, _)| path.as_path()).collect()
    }

    /// The installer: what the cell names, else the image's label, else the only one of the name.
    pub(super) fn installer(
        &self,
        cell: &LayoutCell,
        image: &BuiltImage,
    ) -> Result<Utf8PathBuf, InstallerError> {
        if let Some(script) = &cell.script {
            return Ok(script.clone());
        }
        if let Some(label) = image.labels.get(INSTALLER_LABEL) {
            return Ok(label.into());
        }
        match &self.installers[..] {
            [] => Err(InstallerError::None),
            [only] => Ok(only.clone()),
            several => Err(InstallerError::Several(several.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_by_name_size_and_time() {
        let before = Look::parse(
            "installer /opt/a/installer.sh\nwheel 10 2019-01-01 10:00:00.5 +0000|/builds/a-1.whl\n\
             wheel 10 2019-01-01 10:00:00.5 +0000|/builds/b-1.whl\n",
        );
        assert_eq!(before.installers, ["/opt/a/installer.sh"]);
        let after = Look::parse(
            "wheel 10 2019-01-01 10:00:00.5 +0000|/builds/a-1.whl\n\
             wheel 10 2019-01-01 10:00:00.6 +0000|/builds/b-1.whl\n\
             wheel 3 2019-01-01 10:00:00.7 +0000|/builds/deep/c d-1.whl\nsomething else\n",
        );
        assert_eq!(after.news_since(&before), ["/builds/b-1.whl", "/builds/deep/c d-1.whl"]);
        assert!(after.news_since(&after).is_empty());
    }
}
