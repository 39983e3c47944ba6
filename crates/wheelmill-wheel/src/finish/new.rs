//! The names and texts of the wheel that is written.

use wheelmill_model::Version;

use super::error::FinishError;
use super::label::labelled;
use super::metadata::Paper;
use super::old::Old;
use super::options::Finish;
use crate::metadata::Requirement;

/// The names and texts of the new wheel.
pub(super) struct New {
    pub(super) file_name: String,
    pub(super) version: Version,
    pub(super) dist_info: String,
    /// The folder's name before and after, for what lies in `.data`.
    data: [String; 2],
    pub(super) metadata: String,
}

impl New {
    pub(super) fn of(old: &Old<'_>, wishes: &Finish) -> Result<Self, FinishError> {
        let stem = old.dist_info.strip_suffix(".dist-info").unwrap_or(&old.dist_info);
        let mut paper = Paper::read(&old.metadata);
        let (mut version, mut new_stem) = (old.name.version.clone(), stem.to_owned());
        let mut file_name = old.name.as_str().to_owned();
        if let Some(label) = &wishes.local_label {
            version = labelled(&version, label)?;
        }
        if version != old.name.version {
            paper.set_version(&version);
            let name = stem.split_once('-').map_or(stem, |(name, _)| name);
            new_stem = format!("{name}-{version}");
            let mut parts: Vec<&str> = old.name.as_str().split('-').collect();
            let text = version.to_string();
            parts[1] = &text;
            file_name = parts.join("-");
        }
        if let Some(pin) = &wishes.pin {
            paper.pin(pin)?;
        }
        for requirement in &wishes.requires {
            requirement.parse::<Requirement>()?;
            paper.require(requirement);
        }
        Ok(Self {
            file_name,
            version,
            dist_info: format!("{new_stem}.dist-info"),
            data: [format!("{stem}.data"), format!("{new_stem}.data")],
            metadata: paper.text(),
        })
    }

    /// Where a file of the old wheel lies in the new one.
    pub(super) fn place(&self, old: &Old<'_>, name: &str) -> String {
        match name.split_once('/') {
            Some((folder, rest)) if folder == old.dist_info => format!("{}/{rest}", self.dist_info),
            Some((folder, rest)) if folder == self.data[0] => format!("{}/{rest}", self.data[1]),
            _ => name.to_owned(),
        }
    }

    /// Whether a file is written anew, or not at all: RECORD and what signs it.
    pub(super) fn is_renewed(old: &Old<'_>, name: &str) -> bool {
        let own = name.strip_prefix(&old.dist_info).and_then(|rest| rest.strip_prefix('/'));
        matches!(own, Some("RECORD" | "RECORD.jws" | "RECORD.p7s" | "METADATA"))
    }
}
