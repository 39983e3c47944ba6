//! Who may change the machine, and from where.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use wheelmill_engine::DaemonAdministration;
use wheelmill_engine::lock::try_alone;
use wheelmill_recipe::HostSection;

use super::error::HostError;
use super::stack::{AppliedChange, Stack};
use super::unfinished::unfinished;
use super::{marker, write};
use crate::machine::{DaemonProcess, Machine, MachineError};
use crate::plan::{HostPlan, Remark, plan_with_daemon, real_path};
use crate::service::{ProcessService, ServiceKind, ServiceManager, SystemdService};

/// The settings of a daemon that nobody named and that cannot be asked.
pub(super) const USUAL: &str = "/etc/docker/daemon.json";

/// The lock, in the folder of the changes.
pub(super) const LOCK: &str = "lock";

/// Which daemon is meant.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The daemon.
    pub daemon: DaemonAdministration,
    /// Its file of settings, for a daemon that is down and has it in another place than usual.
    pub settings: Option<Utf8PathBuf>,
}

/// The folder of the changes of a daemon with these settings.
pub(super) fn folder_of(settings: &Utf8Path) -> Utf8PathBuf {
    settings.with_file_name("wheelmill")
}

impl HostSettings {
    /// Says what a wish changes; changes nothing.
    ///
    /// # Errors
    /// The daemon does not answer, or a file cannot be read.
    pub fn plan(&self, wish: &HostSection) -> Result<HostPlan, HostError> {
        let machine = Machine::look(&self.daemon, wish.data_root.as_deref());
        let machine = machine.map_err(|error| self.unanswered(error))?;
        let mut plan = plan_with_daemon(&machine, &self.daemon, wish)?;
        if let Some(unfinished) = unfinished(self.daemon.socket(), Some(&machine.settings)) {
            plan.remarks.insert(
                0,
                Remark {
                    message: unfinished.to_string(),
                    hint: Some("take it back: `sudo wheelmill host undo`".to_owned()),
                },
            );
        }
        Ok(plan)
    }

    /// Begins a change: nobody else makes one until this is dropped. Files of a change that was
    /// begun and not finished become as they were, and a daemon that it left down is started.
    ///
    /// # Errors
    /// Somebody else changes the machine, the daemon does not answer and nothing is known of it, or
    /// what was begun cannot be taken back.
    pub fn begin(&self) -> Result<HostChange<'_>, HostError> {
        let (settings, is_live) = self.locate()?;
        let stack = Stack { folder: folder_of(&settings) };
        write::make_folder(&stack.folder)?;
        let mut change = HostChange {
            settings: self,
            lock: lock(&stack.folder)?,
            stack,
            file: settings,
            recovered: None,
        };
        change.check_daemon(is_live)?;
        // What a crash left before it could be noted.
        write::discard(&real_path(&change.file))?;
        change.stack.sweep()?;
        change.recover()?;
        Ok(change)
    }

    /// The daemon's file of settings, and whether the daemon itself tells.
    fn locate(&self) -> Result<(Utf8PathBuf, bool), HostError> {
        let error = match (Machine::look(&self.daemon, None), &self.settings) {
            (Ok(machine), Some(named)) => {
                let is_other = real_path(named) != real_path(&machine.settings);
                if machine.process.is_some() && is_other {
                    let (named, own) = (named.clone(), machine.settings);
                    return Err(HostError::OtherSettings { named, own });
                }
                return Ok((named.clone(), true));
            }
            (Ok(machine), None) => return Ok((machine.settings, true)),
            (Err(error), _) => error,
        };
        let known = self.settings.clone().or_else(|| marker::read(self.daemon.socket()));
        let settings = known.unwrap_or_else(|| USUAL.into());
        match folder_of(&settings).is_dir() {
            true => Ok((settings, false)),
            // Nothing was ever changed: there is no more to say than that.
            false => Err(error.into()),
        }
    }

    fn unanswered(&self, error: MachineError) -> HostError {
        match marker::read(self.daemon.socket()) {
            Some(settings) => HostError::Unfinished { settings, source: Box::new(error.into()) },
            None => error.into(),
        }
    }
}

/// Takes the lock. Whoever held it last may have removed it meanwhile.
fn lock(folder: &Utf8Path) -> Result<File, HostError> {
    let path = folder.join(LOCK);
    let failed = |source| HostError::Files { action: "lock", path: path.clone(), source };
    loop {
        let held = try_alone(&path).map_err(failed)?;
        let Some(held) = held else { return Err(HostError::Busy { lock: path }) };
        let own = held.metadata().map_err(failed)?;
        if path.metadata().is_ok_and(|there| there.ino() == own.ino()) {
            return Ok(held);
        }
        write::make_folder(folder)?;
    }
}

/// The right to change the machine.
#[derive(Debug)]
pub struct HostChange<'a> {
    pub(super) settings: &'a HostSettings,
    /// The changes that can be taken back.
    pub(super) stack: Stack,
    /// The daemon's file of settings.
    pub(super) file: Utf8PathBuf,
    recovered: Option<Timestamp>,
    lock: File,
}

impl Drop for HostChange<'_> {
    /// A folder without a change in it is nobody's.
    fn drop(&mut self) {
        let changes = self.stack.all();
        if changes.is_ok_and(|changes| changes.is_empty()) {
            drop(fs_err::remove_file(self.stack.folder.join(LOCK)));
            drop(fs_err::remove_dir(&self.stack.folder));
        }
        drop(self.lock.unlock());
    }
}

impl HostChange<'_> {
    /// Says what a wish changes; changes nothing.
    ///
    /// # Errors
    /// As [`HostSettings::plan`].
    pub fn plan(&self, wish: &HostSection) -> Result<HostPlan, HostError> {
        self.settings.plan(wish)
    }

    /// The changes that can be taken back, the latest first.
    ///
    /// # Errors
    /// A journal cannot be read.
    pub fn applied(&self) -> Result<Vec<AppliedChange>, HostError> {
        self.stack.all()
    }

    /// When the change began that came to no end, and whose files were just made as they were.
    #[must_use]
    pub fn recovered(&self) -> Option<Timestamp> {
        self.recovered
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
                    .ok_or(HostError::Ended { why: None })?;
                Box::new(ProcessService::new(process))
            }
        })
    }

    /// Refuses changes of another daemon than the one that is meant.
    fn check_daemon(&self, is_live: bool) -> Result<(), HostError> {
        let own = self.daemon().socket();
        match self.stack.latest()? {
            Some(journal) if !is_live && real_path(&journal.socket) != real_path(own) => {
                let (file, own) = (self.file.clone(), own.to_owned());
                Err(HostError::OtherDaemon { file, socket: journal.socket, own })
            }
            _ => Ok(()),
        }
    }

    fn recover(&mut self) -> Result<(), HostError> {
        let latest = self.stack.latest()?;
        let Some(journal) = latest.filter(|journal| !journal.finished) else {
            // What was under way came to its end, or never to its beginning.
            return marker::clear(self.daemon().socket());
        };
        self.restore(&journal)?;
        self.recovered = Some(journal.began);
        if !self.daemon().answers(super::verify::PATIENCE) {
            let service = self.service(&journal.service, journal.process.as_ref())?;
            // One that runs may start, or was told to end.
            let ended = match service.is_down() {
                true => Err(HostError::Ended { why: None }),
                false => self.wait(&*service, &[], |_| None),
            };
            match ended {
                Err(HostError::Ended { .. }) => self.bring_back(&*service)?,
                other => other?,
            }
        }
        Ok(())
    }
}
