//! What was changed, so that it can be taken back: also by another process, after a crash.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wheelmill_model::Digest;

use super::error::HostError;
use super::write;
use crate::machine::DaemonProcess;
use crate::plan::{Expectation, FileChange, FileState, LeafChange, Owner};
use crate::service::ServiceKind;

/// A change of the machine. Its file has the daemon's environment in it, so it is for root alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Journal {
    /// The folder of this change: the journal, and the files as they were.
    #[serde(skip)]
    pub(super) folder: Utf8PathBuf,
    /// The form of the file.
    pub(super) schema: u32,
    /// When it began.
    pub(super) began: Timestamp,
    /// It was finished, and verified.
    pub(super) finished: bool,
    /// Where the daemon answers.
    pub(super) socket: Utf8PathBuf,
    pub(super) files: Vec<JournalFile>,
    /// The daemon must be started again; otherwise it is enough that it reads its settings.
    pub(super) restart: bool,
    /// The daemon has something to follow at all.
    pub(super) follow: bool,
    pub(super) units: bool,
    /// The bridge that was made.
    pub(super) bridge: Option<String>,
    /// The address that Docker's own bridge had, where it takes another with the pools.
    #[serde(default)]
    pub(super) bridge_address: Option<String>,
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

/// The form of the file.
pub(super) const SCHEMA: u32 = 2;

/// Its name in the folder of its change.
pub(super) const FILE: &str = "journal.json";

impl Journal {
    /// That of a folder, if there is one.
    pub(super) fn read(folder: &Utf8Path) -> Result<Option<Self>, HostError> {
        let path = folder.join(FILE);
        let Some(state) = FileState::read(&path)? else { return Ok(None) };
        let read = serde_json::from_slice(&state.bytes);
        let journal: Self = read.map_err(|source| HostError::Journal { path, source })?;
        Ok(Some(Self { folder: folder.to_owned(), ..journal }))
    }

    /// Puts it on the disk.
    pub(super) fn write(&self) -> Result<(), HostError> {
        let text = serde_json::to_vec_pretty(self).expect("a journal can be written as JSON");
        write::replace(&self.folder.join(FILE), &text, write::own(0o600), None)
    }

    /// Forgets the change, with all that was kept for it.
    pub(super) fn remove(&self) -> Result<(), HostError> {
        // Without it the rest means nothing, also when that cannot be removed now.
        write::remove(&self.folder.join(FILE))?;
        remove_folder(&self.folder)
    }

    /// Keeps a file of a change as it is.
    pub(super) fn keep(&self, change: &FileChange) -> Result<JournalFile, HostError> {
        Ok(JournalFile {
            path: change.path.clone(),
            real: change.real.clone(),
            before: self.keep_state(&change.real, change.before.as_ref())?,
            after: Digest::of(&change.after),
            leaves: change.leaves.clone(),
        })
    }

    /// Keeps a file in a state.
    pub(super) fn keep_state(
        &self,
        real: &Utf8Path,
        state: Option<&FileState>,
    ) -> Result<Option<Kept>, HostError> {
        let Some(state) = state else { return Ok(None) };
        let digest = state.digest();
        // Whoever looks for a file finds it by its name, and no two states share one.
        let name = format!("{}.{}", real.file_name().unwrap_or_default(), digest.short());
        let backup = self.folder.join(name);
        write::replace(&backup, &state.bytes, state.owner, Some(real))?;
        Ok(Some(Kept { backup, digest, owner: state.owner }))
    }

    /// What it changed: keys of settings, else files.
    pub(super) fn keys(&self) -> Vec<String> {
        let keys = |file: &JournalFile| match &file.leaves[..] {
            [] => vec![file.path.to_string()],
            leaves => leaves.iter().map(|leaf| leaf.path.join(".")).collect(),
        };
        self.files.iter().flat_map(keys).collect()
    }

    /// That the bridge has its address again, where it took another with the pools.
    pub(super) fn bridge_before(&self) -> Option<Expectation> {
        self.bridge_address.clone().map(Expectation::BridgeAddress)
    }

    /// What the daemon says when all of it is taken back.
    pub(super) fn expectations_before(&self) -> Vec<Expectation> {
        let leaves = self.files.iter().flat_map(|file| &file.leaves);
        leaves.filter_map(|leaf| leaf.was.clone()).chain(self.bridge_before()).collect()
    }
}

/// Removes a folder of a change, if it is there.
pub(super) fn remove_folder(folder: &Utf8Path) -> Result<(), HostError> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| HostError::Files {
            action: "remove",
            path: folder.to_owned(),
            source,
        }),
    }
}
