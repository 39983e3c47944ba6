//! The way back: after a failure, after a crash, and when the user wants it.

use std::collections::BTreeSet;

use serde_json::json;
use wheelmill_engine::DaemonReport;

use super::change::HostChange;
use super::error::HostError;
use super::journal::{Journal, JournalFile};
use super::procedure::{Consent, Outcome, would_stop};
use super::step::Step;
use super::tell::remove_bridge;
use super::{verify, write};
use crate::json::JsonText;
use crate::machine::Machine;
use crate::plan::{Expectation, FileState, Owner, problems};
use crate::service::ServiceManager;

/// What becomes of a file on the way back.
enum Way {
    /// It is as it was.
    Stay,
    /// There was none.
    Remove,
    /// This becomes its content, as it was.
    Write(Vec<u8>, Owner),
    /// This does: what somebody else wrote since stays.
    TakeOut(Vec<u8>, Owner),
}

impl HostChange<'_> {
    /// Takes the last change back.
    ///
    /// # Errors
    /// There is none, a file was changed by somebody else so that ours cannot be told from theirs,
    /// somebody must agree first, or the daemon does not follow.
    pub fn undo(&self, consent: Consent, told: &mut dyn FnMut(Step)) -> Result<Outcome, HostError> {
        let journal = Journal::read(&self.folder)?
            .ok_or_else(|| HostError::NothingToUndo { folder: self.folder.clone() })?;
        // A daemon that is down has no containers to lose.
        if let Ok(report) = self.daemon().report() {
            check_consent(&journal, &report, consent)?;
        }
        self.check_way(&journal)?;
        let service = self.service(&journal.service, journal.process.as_ref())?;
        let read = |file: &JournalFile| FileState::read(&file.real);
        let now = journal.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if let Err(source) = self.go_back(&journal, &*service, told) {
            let log = service.log();
            for (file, state) in journal.files.iter().zip(now) {
                match state {
                    Some(state) => write::replace(&file.real, &state.bytes, state.owner)?,
                    None => write::remove(&file.real)?,
                }
            }
            told(Step::Restored);
            if service.is_down() {
                service.restart()?;
            }
            return Err(HostError::NotUndone { source: Box::new(source), log });
        }
        Journal::remove(&self.folder)?;
        Ok(Outcome::Changed)
    }

    /// Refuses a way back that leads to settings with which the daemon would not start again:
    /// somebody may have built upon what is to be taken away.
    fn check_way(&self, journal: &Journal) -> Result<(), HostError> {
        // A daemon that is down is helped by any settings of before.
        let Ok(machine) = Machine::look(self.daemon(), None) else { return Ok(()) };
        let settings = |bytes: &[u8]| JsonText::parse(bytes).ok()?.get(&[]);
        for file in journal.files.iter().filter(|file| !file.leaves.is_empty()) {
            let (Way::Write(bytes, _) | Way::TakeOut(bytes, _)) = way_back(file)? else { continue };
            let now = FileState::read(&file.real)?.map(|state| state.bytes).unwrap_or_default();
            let (Some(after), Some(now)) = (settings(&bytes), settings(&now)) else { continue };
            let process = machine.process.as_ref();
            let known: Vec<_> = problems(&now, &machine.options, process);
            let new: Vec<_> = problems(&after, &machine.options, process)
                .into_iter()
                .filter(|problem| known.iter().all(|known| known.message != problem.message))
                .collect();
            if !new.is_empty() {
                return Err(HostError::Refused(new));
            }
        }
        Ok(())
    }

    /// Makes the files as they were, or takes ours out of what somebody else wrote since; which of
    /// the two.
    pub(super) fn restore(&self, journal: &Journal) -> Result<Step, HostError> {
        // All or none: what cannot be taken back is known before anything is.
        let ways = journal.files.iter().map(way_back).collect::<Result<Vec<_>, _>>()?;
        let mut step = Step::Restored;
        for (file, way) in journal.files.iter().zip(ways) {
            write::discard(&file.real)?;
            match way {
                Way::Stay => {}
                Way::Remove => write::remove(&file.real)?,
                Way::Write(bytes, owner) => write::replace(&file.real, &bytes, owner)?,
                Way::TakeOut(bytes, owner) => {
                    write::replace(&file.real, &bytes, owner)?;
                    step = Step::TakenOut(file.path.clone());
                }
            }
        }
        Ok(step)
    }

    /// After a failure: restores everything, and says how that went.
    pub(super) fn take_back(
        &self,
        machine: &Machine,
        journal: &Journal,
        service: &dyn ServiceManager,
        failed: HostError,
        told: &mut dyn FnMut(Step),
    ) -> HostError {
        // Before the daemon prints about its return.
        let log = service.log();
        let source = Box::new(failed);
        let went = self.go_back(journal, service, told).and_then(|()| {
            let before = &machine.report;
            self.wait(service, &[], |now| {
                verify::lost(&before.images, &now.images, "images")
                    .or_else(|| verify::lost(&before.volumes, &now.volumes, "volumes"))
            })?;
            Journal::remove(&self.folder)
        });
        match went {
            Ok(()) => {
                let running = |name: &String| {
                    let now = self.daemon().report().map(|now| now.running).unwrap_or_default();
                    now.iter().any(|container| container.name == *name)
                };
                let before = machine.report.running.iter().map(|container| container.name.clone());
                let stopped = before.filter(|name| !running(name)).collect();
                HostError::TakenBack { source, stopped, log }
            }
            Err(failure) => {
                HostError::Stranded { source, failure: Box::new(failure), log: service.log() }
            }
        }
    }

    /// Files, units, network, daemon, in this order.
    fn go_back(
        &self,
        journal: &Journal,
        service: &dyn ServiceManager,
        told: &mut dyn FnMut(Step),
    ) -> Result<(), HostError> {
        let step = self.restore(journal)?;
        told(step);
        if journal.units {
            service.reload_units()?;
            told(Step::UnitsRead);
        }
        let alive = self.daemon().answers(verify::PATIENCE);
        if journal.follow && (journal.restart || !alive) {
            service.restart()?;
            told(Step::Restarted);
        } else if journal.follow {
            self.reload_without_runtimes(journal, service)?;
            told(Step::Reloaded);
        }
        if journal.follow {
            self.wait(service, &[], |_| None)?;
        }
        if let Some(bridge) = &journal.bridge {
            // The daemon uses it no more.
            remove_bridge(bridge);
        }
        Ok(())
    }

    /// A daemon that reads settings without `runtimes` keeps those it has; an empty object takes
    /// them away. So that is what it reads, and then the file becomes as it was.
    fn reload_without_runtimes(
        &self,
        journal: &Journal,
        service: &dyn ServiceManager,
    ) -> Result<(), HostError> {
        let registers = |file: &&JournalFile| {
            file.leaves.iter().any(|leaf| leaf.path.first().is_some_and(|key| key == "runtimes"))
        };
        let Some(file) = journal.files.iter().find(registers) else { return self.reload(service) };
        let state = FileState::read(&file.real)?;
        let bytes = state.as_ref().map_or(&[][..], |state| &state.bytes);
        let text = JsonText::parse(bytes).ok().filter(|text| text.written(&["runtimes"]).is_none());
        let Some(mut text) = text else { return self.reload(service) };
        let owner = state.as_ref().map_or_else(|| write::own(0o644), |state| state.owner);
        let changed = text.set(&["runtimes"], &json!({}));
        debug_assert!(changed.is_ok(), "the root of settings is an object");
        write::replace(&file.real, &text.bytes(), owner)?;
        let reloaded = self.reload(service);
        match &state {
            Some(state) => write::replace(&file.real, &state.bytes, state.owner)?,
            None => write::remove(&file.real)?,
        }
        reloaded
    }
}

/// What the way back costs: what was made in another folder or by another driver is not seen from
/// the first.
fn check_consent(
    journal: &Journal,
    report: &DaemonReport,
    consent: Consent,
) -> Result<(), HostError> {
    if journal.restart && !report.running.is_empty() && !consent.stop_containers {
        return Err(would_stop(report.running.iter().map(|container| container.name.as_str())));
    }
    let root = journal.expectations.iter().any(|it| matches!(it, Expectation::DataRoot(_)));
    let driver = journal.expectations.iter().any(|it| matches!(it, Expectation::Driver(_)));
    let images = if root || driver { report.images.len() } else { 0 };
    let volumes = if root { report.volumes.len() } else { 0 };
    if images + volumes > 0 && !consent.hide_images {
        return Err(HostError::WouldHide { images, volumes });
    }
    Ok(())
}

/// The way back of one file.
fn way_back(file: &JournalFile) -> Result<Way, HostError> {
    let Some(state) = FileState::read(&file.real)? else {
        // Somebody else removed it, or it was never made.
        return Ok(match &file.before {
            None => Way::Stay,
            Some(kept) => Way::Write(backup(file, kept)?, kept.owner),
        });
    };
    let digest = state.digest();
    match &file.before {
        Some(kept) if kept.digest == digest => Ok(Way::Stay),
        Some(kept) if file.after == digest => Ok(Way::Write(backup(file, kept)?, kept.owner)),
        None if file.after == digest => Ok(Way::Remove),
        _ => ours_alone(file, &state),
    }
}

fn backup(file: &JournalFile, kept: &super::journal::Kept) -> Result<Vec<u8>, HostError> {
    let state = FileState::read(&kept.backup)?.filter(|state| state.digest() == kept.digest);
    let state = state.ok_or_else(|| HostError::Theirs { path: file.path.clone(), backup: None })?;
    Ok(state.bytes)
}

/// Takes our values out of a file that somebody else changed since. What they made of a value of
/// ours is theirs.
fn ours_alone(file: &JournalFile, state: &FileState) -> Result<Way, HostError> {
    let theirs = || HostError::Theirs {
        path: file.path.clone(),
        backup: file.before.as_ref().map(|kept| kept.backup.clone()),
    };
    if file.leaves.is_empty() {
        return Err(theirs());
    }
    let before = match &file.before {
        Some(kept) => backup(file, kept)?,
        None => Vec::new(),
    };
    let before = JsonText::parse(&before).map_err(|_| theirs())?;
    let mut text = JsonText::parse(&state.bytes).map_err(|_| theirs())?;
    let mut parents = BTreeSet::new();
    for leaf in &file.leaves {
        let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
        if text.get(&path).as_ref() == Some(&leaf.after) {
            match &leaf.before {
                Some(written) => text.set_written(&path, written).map_err(|_| theirs())?,
                None => text.remove(&path),
            }
        }
        parents.extend((1..path.len()).map(|depth| leaf.path[..depth].to_vec()));
    }
    // Objects that were made for a value of ours, and hold nothing of others.
    for parent in parents.iter().rev() {
        let path: Vec<&str> = parent.iter().map(String::as_str).collect();
        if before.written(&path).is_none() && text.is_empty(&path) {
            text.remove(&path);
        }
    }
    Ok(Way::TakeOut(text.bytes(), state.owner))
}
