//! Who may change the machine, and from where.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::DaemonAdministration;
use wheelmill_engine::lock::try_alone;
use wheelmill_recipe::HostSection;

use super::error::HostError;
use super::journal::Journal;
use super::write;
use crate::machine::{DaemonProcess, Machine};
use crate::plan::{self, HostPlan, real_path};
use crate::service::{ProcessService, ServiceKind, ServiceManager, SystemdService};

/// The settings of a daemon that nobody named and that cannot be asked.
const USUAL: &str = "/etc/docker/daemon.json";

/// Which daemon is meant.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The daemon.
    pub daemon: DaemonAdministration,
    /// Its file of settings, for a daemon that is down and has it in another place than usual.
    pub settings: Option<Utf8PathBuf>,
}

impl HostSettings {
    /// Says what a wish changes; changes nothing.
    ///
    /// # Errors
    /// The daemon does not answer, or a file cannot be read.
    pub fn plan(&self, wish: &HostSection) -> Result<HostPlan, HostError> {
        let machine = Machine::look(&self.daemon, wish.data_root.as_deref())?;
        Ok(plan::plan(&machine, wish)?)
    }

    /// Begins a change: nobody else makes one until this is dropped. Files of a change that was
    /// begun and not finished become as they were, and a daemon that it left down is started.
    ///
    /// # Errors
    /// Somebody else changes the machine, or what was begun cannot be taken back.
    pub fn begin(&self) -> Result<HostChange<'_>, HostError> {
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => Machine::look(&self.daemon, None)
                .map_or_else(|_| USUAL.into(), |machine| machine.settings),
        };
        let folder = settings.with_file_name("wheelmill");
        make_folder(&folder)?;
        let lock = folder.join("lock");
        let held = try_alone(&lock).map_err(|source| HostError::Files {
            action: "lock",
            path: lock.clone(),
            source,
        })?;
        let Some(held) = held else { return Err(HostError::Busy { lock }) };
        // What a crash left before it could be noted.
        write::discard(&real_path(&settings))?;
        let change = HostChange { settings: self, folder, _lock: held };
        change.recover()?;
        Ok(change)
    }
}

/// The right to change the machine.
#[derive(Debug)]
pub struct HostChange<'a> {
    pub(super) settings: &'a HostSettings,
    /// Where the journal lies.
    pub(super) folder: Utf8PathBuf,
    _lock: File,
}

impl HostChange<'_> {
    /// Says what a wish changes; changes nothing.
    ///
    /// # Errors
    /// As [`HostSettings::plan`].
    pub fn plan(&self, wish: &HostSection) -> Result<HostPlan, HostError> {
        self.settings.plan(wish)
    }

    pub(super) fn daemon(&self) -> &DaemonAdministration {
        &self.settings.daemon
    }

    /// What starts and stops the daemon, by what is known of it from now or from before.
    pub(super) fn service(
        &self,
        kind: &ServiceKind,
        known: Option<&DaemonProcess>,
    ) -> Result<Box<dyn ServiceManager>, HostError> {
        Ok(match kind {
            ServiceKind::Systemd { unit, user } => Box::new(SystemdService::new(unit, *user)),
            ServiceKind::Process => {
                // One that only just starts does not listen yet.
                let process = DaemonProcess::at(self.daemon().socket())
                    .or_else(|| known?.running_again())
                    .or_else(|| known.cloned())
                    .ok_or(HostError::Ended)?;
                Box::new(ProcessService::new(process))
            }
        })
    }

    fn recover(&self) -> Result<(), HostError> {
        let Some(journal) = Journal::read(&self.folder)?.filter(|journal| !journal.finished) else {
            return Ok(());
        };
        tracing::warn!(began = %journal.began, "taking back the files of a change that was not finished");
        let _step = self.restore(&journal)?;
        if !self.daemon().answers(super::verify::PATIENCE) {
            let service = self.service(&journal.service, journal.process.as_ref())?;
            if service.is_down() {
                service.restart()?;
            }
            self.wait(&*service, &[], |_| None)?;
        }
        Ok(())
    }
}

/// The folder is for root alone, and one above it that is new for everybody, as packages make it.
fn make_folder(folder: &Utf8Path) -> Result<(), HostError> {
    let above = folder.parent().map_or(Ok(()), fs_err::create_dir_all);
    let made = above.and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(folder));
    made.map_err(|source| HostError::Files { action: "create", path: folder.to_owned(), source })
}
