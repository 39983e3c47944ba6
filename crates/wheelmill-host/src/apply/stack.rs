//! The changes that can be taken back, the latest first: a folder for each, numbered, beside the
//! lock.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::Serialize;

use super::error::HostError;
use super::journal::{FILE, Journal, SCHEMA, remove_folder};
use super::write;
use crate::machine::Machine;

/// A change that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppliedChange {
    /// When it began.
    pub began: Timestamp,
    /// It came to its end.
    pub finished: bool,
    /// The keys of the daemon's settings that it changed; for other files, their names.
    pub keys: Vec<String>,
}

/// The changes of one daemon.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    pub(super) folder: Utf8PathBuf,
}

impl Stack {
    /// The folders of changes that are noted, the latest last.
    fn noted(&self) -> Vec<Utf8PathBuf> {
        self.folders().into_iter().filter(|folder| folder.join(FILE).exists()).collect()
    }

    fn folders(&self) -> Vec<Utf8PathBuf> {
        let entries = self.folder.read_dir_utf8().into_iter().flatten().flatten();
        let mut numbered: Vec<(u32, Utf8PathBuf)> = entries
            .filter_map(|entry| Some((entry.file_name().parse().ok()?, entry.path().to_owned())))
            .collect();
        numbered.sort();
        numbered.into_iter().map(|(_, folder)| folder).collect()
    }

    /// The latest change.
    pub(super) fn latest(&self) -> Result<Option<Journal>, HostError> {
        self.noted().last().map_or(Ok(None), |folder| Journal::read(folder))
    }

    /// All changes, the latest first.
    pub(super) fn all(&self) -> Result<Vec<AppliedChange>, HostError> {
        let read = |folder: &Utf8PathBuf| {
            let journal = Journal::read(folder)?;
            Ok(journal.map(|journal| AppliedChange {
                began: journal.began,
                finished: journal.finished,
                keys: journal.keys(),
            }))
        };
        self.noted().iter().rev().filter_map(|folder| read(folder).transpose()).collect()
    }

    /// Begins a change that is not noted yet, with a folder of its own.
    pub(super) fn begin(&self, machine: &Machine, socket: &Utf8Path) -> Result<Journal, HostError> {
        let last = self.folders().last().and_then(|last| last.file_name()?.parse::<u32>().ok());
        let folder = self.folder.join(format!("{:04}", last.unwrap_or(0) + 1));
        write::make_folder(&folder)?;
        Ok(Journal {
            folder,
            schema: SCHEMA,
            began: Timestamp::now(),
            finished: false,
            socket: socket.to_owned(),
            files: Vec::new(),
            restart: false,
            follow: false,
            units: false,
            bridge: None,
            bridge_address: None,
            service: machine.service.clone(),
            process: machine.process.clone(),
        })
    }

    /// Removes what crashes left before it was noted.
    pub(super) fn sweep(&self) -> Result<(), HostError> {
        let unnoted = self.folders().into_iter().filter(|folder| !folder.join(FILE).exists());
        unnoted.into_iter().try_for_each(|folder| remove_folder(&folder))
    }
}
