//! A wheel in the store, as callers hand it in and see it.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::Value;
use wheelmill_model::{CellKey, Digest, PackageName, RunId, Version, WheelFilename};

use crate::columns::{Bytes, Json, Moment, Text};
use crate::layout::Layout;

/// What is to be known about a wheel beside its file.
#[derive(Clone, Debug)]
pub struct NewWheel {
    /// What decided the wheel.
    pub key: CellKey,
    /// The identifier of its cell, for people.
    pub cell: String,
    /// What the cell was made of: an object with `cuda`, `torch`, `python`, `architectures` and
    /// whatever else the caller wants to see again.
    pub spec: Value,
    /// How the wheel was judged, in the caller's format.
    pub verdict: Value,
    /// Whether it was judged good.
    pub passed: bool,
    /// The run that built it.
    pub run: RunId,
}

/// A wheel of the store. One content that came from two cells is two of these with one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredWheel {
    /// The digest of the file.
    pub digest: Digest,
    /// Its size, in bytes.
    #[serde(rename = "size-bytes")]
    pub size: u64,
    /// Its name.
    pub file_name: WheelFilename,
    /// Where it lies; pip installs it from there. Read-only.
    pub path: Utf8PathBuf,
    /// What decided it.
    pub key: CellKey,
    /// The identifier of its cell.
    pub cell: String,
    /// The package, as the file's name says.
    pub package: PackageName,
    /// Its version, as the file's name says, with the local label.
    pub version: Version,
    /// What the cell was made of.
    pub spec: Value,
    /// How it was judged.
    pub verdict: Value,
    /// Whether it was judged good.
    pub passed: bool,
    /// When it was stored.
    pub built_at: Timestamp,
    /// Whether the file is there and has its size.
    pub present: bool,
    /// The run that built it.
    pub run: RunId,
}

/// What adding a wheel came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AddedWheel {
    /// The wheel that the store now holds for the key.
    pub wheel: StoredWheel,
    /// How it relates to the one that was handed in.
    pub adding: Adding,
}

/// How a wheel in the store relates to one that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adding {
    /// It is the one handed in; the key had none.
    New,
    /// It is the one handed in; the key had one that was not good, or whose file was gone.
    Replaced,
    /// The key had a good one with this same content.
    Same,
    /// The key had a good one with another content, which was kept: whoever uses it sees no change.
    FirstKept,
}

impl StoredWheel {
    /// The columns that [`Self::from_row`] reads.
    pub(crate) const COLUMNS: &str =
        "digest, size, file_name, key, cell, spec, verdict, passed, built_at, run";

    pub(crate) fn from_row(row: &Row<'_>, layout: &Layout) -> rusqlite::Result<Self> {
        let Text(digest) = row.get(0)?;
        let Bytes(size) = row.get(1)?;
        let Text(file_name): Text<WheelFilename> = row.get(2)?;
        let path = layout.wheel_folder(&digest).join(file_name.as_str());
        let present =
            path.symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == size);
        let Text(key) = row.get(3)?;
        let Json(spec) = row.get(5)?;
        let Json(verdict) = row.get(6)?;
        let Moment(built_at) = row.get(8)?;
        Ok(Self {
            package: file_name.name.clone(),
            version: file_name.version.clone(),
            digest,
            size,
            file_name,
            path,
            key,
            cell: row.get(4)?,
            spec,
            verdict,
            passed: row.get(7)?,
            built_at,
            present,
            run: RunId::from_text(row.get::<_, String>(9)?),
        })
    }
}
