//! What was changed, so that it can be taken back: also by another process, after a crash.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wheelmill_model::Digest;

use super::error::HostError;
use super::write;
use crate::machine::DaemonProcess;
use crate::plan::{Expectation, FileState, LeafChange, Owner};
use crate::service::ServiceKind;

/// The form of the file.
const SCHEMA: u32 = 1;

/// A change of the machine. Its file has the daemon's environment in it, so it is for root alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Journal {
    pub(super) schema: u32,
    /// When it began.
    pub(super) began: Timestamp,
    /// It was finished, and verified.
    pub(super) finished: bool,
    pub(super) files: Vec<JournalFile>,
    /// The daemon must be started again; otherwise it is enough that it reads its settings.
    pub(super) restart: bool,
    /// The daemon has something to follow at all.
    pub(super) follow: bool,
    pub(super) units: bool,
    /// The bridge that was made.
    pub(super) bridge: Option<String>,
    pub(super) expectations: Vec<Expectation>,
    pub(super) service: ServiceKind,
    /// How to start a daemon that nobody looks after.
    pub(super) process: Option<DaemonProcess>,
}

/// A file that was changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct JournalFile {
    pub(super) path: Utf8PathBuf,
    pub(super) real: Utf8PathBuf,
    /// As it was; none where there was none.
    pub(super) before: Option<Kept>,
    /// The digest of its new content.
    pub(super) after: Digest,
    pub(super) leaves: Vec<LeafChange>,
}

/// A file as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Kept {
    pub(super) backup: Utf8PathBuf,
    pub(super) digest: Digest,
    pub(super) owner: Owner,
}

impl Journal {
    /// A change that has not begun.
    pub(super) fn new(service: ServiceKind, process: Option<DaemonProcess>) -> Self {
        Self {
            schema: SCHEMA,
            began: Timestamp::now(),
            finished: false,
            files: Vec::new(),
            restart: false,
            follow: false,
            units: false,
            bridge: None,
            expectations: Vec::new(),
            service,
            process,
        }
    }

    /// That of a folder, if there is one.
    pub(super) fn read(folder: &Utf8Path) -> Result<Option<Self>, HostError> {
        let path = folder.join(FILE);
        let Some(state) = FileState::read(&path)? else { return Ok(None) };
        serde_json::from_slice(&state.bytes)
            .map(Some)
            .map_err(|source| HostError::Journal { path, source })
    }

    /// Puts it on the disk.
    pub(super) fn write(&self, folder: &Utf8Path) -> Result<(), HostError> {
        let text = serde_json::to_vec_pretty(self).expect("a journal can be written as JSON");
        write::replace(&folder.join(FILE), &text, write::own(0o600))
    }

    /// Forgets it.
    pub(super) fn remove(folder: &Utf8Path) -> Result<(), HostError> {
        write::remove(&folder.join(FILE))
    }
}

const FILE: &str = "journal.json";

impl JournalFile {
    /// The name under which a file is kept.
    pub(super) fn backup(folder: &Utf8Path, path: &Utf8Path, began: Timestamp) -> Utf8PathBuf {
        let moment = began.strftime("%Y%m%dT%H%M%S%.6fZ");
        folder.join(format!("{}.{moment}.bak", path.file_name().unwrap_or_default()))
    }
}
