//! The way back: after a failure, after a crash, and when the user wants it.

use std::collections::BTreeSet;

use wheelmill_engine::DaemonReport;

use super::change::HostChange;
use super::error::HostError;
use super::interim::Interim;
use super::journal::{Journal, JournalFile, Kept};
use super::procedure::{Consent, Outcome, would_stop};
use super::step::Step;
use super::tell::remove_bridge;
use super::{marker, verify, write};
use crate::json::JsonText;
use crate::machine::Machine;
use crate::plan::{Expectation, FileState, NVIDIA, Owner, Remark, problems, users};
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

/// The way back of a file, and what the daemon says afterwards.
struct Back {
    way: Way,
    expectations: Vec<Expectation>,
}

impl HostChange<'_> {
    /// Takes the latest change back.
    ///
    /// # Errors
    /// There is none, a file was changed by somebody else so that ours cannot be told from theirs,
    /// somebody must agree first, or the daemon does not follow.
    pub fn undo(&self, consent: Consent, told: &mut dyn FnMut(Step)) -> Result<Outcome, HostError> {
        let journal = self.stack.latest()?;
        let mut journal = journal
            .ok_or_else(|| HostError::NothingToUndo { folder: self.stack.folder.clone() })?;
        // A daemon that is down has no containers to lose.
        if let Ok(report) = self.daemon().report() {
            // One that was never told of the change, or has followed the files back already.
            journal.restart &= !follows_before(&journal, &report);
            journal.restart |= loses_default(&journal, &report);
            check_consent(&journal, &report, consent)?;
        }
        self.check_way(&journal)?;
        let service = self.service(&journal.service, journal.process.as_ref())?;
        let read = |file: &JournalFile| FileState::read(&file.real);
        let now = journal.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        // Whoever comes after a crash sees that it came to no end, and goes on with it.
        let begun = Journal { finished: false, ..journal.clone() };
        begun.write()?;
        marker::set(self.daemon().socket(), &self.file)?;
        let left = match self.go_back(&begun, &*service, told) {
            Ok(left) => left,
            Err(source) => {
                let log = service.log();
                journal.write()?;
                for (file, state) in journal.files.iter().zip(now) {
                    match state {
                        Some(state) => {
                            write::replace(&file.real, &state.bytes, state.owner, None)?;
                        }
                        None => write::remove(&file.real)?,
                    }
                }
                told(Step::Restored);
                if service.is_down() {
                    self.bring_back(&*service)?;
                }
                return Err(HostError::not_undone(source, log));
            }
        };
        self.forget(&journal)?;
        match left {
            None => Ok(Outcome::Changed),
            Some(expectation) => Err(self.not_as_before(&expectation)),
        }
    }

    /// What there is to know before the latest change is taken back.
    ///
    /// # Errors
    /// The journal cannot be read, or the daemon does not answer all of it.
    pub fn undo_remarks(&self) -> Result<Vec<Remark>, HostError> {
        let Some(journal) = self.stack.latest()? else { return Ok(Vec::new()) };
        let goes = journal.expectations_before().contains(&Expectation::NoRuntime);
        // A daemon that is down has no say.
        if !goes || !self.daemon().answers(verify::PATIENCE) {
            return Ok(Vec::new());
        }
        Ok(users(self.daemon()).map_err(HostError::Daemon)?.into_iter().collect())
    }

    fn not_as_before(&self, expectation: &Expectation) -> HostError {
        let fix = match expectation {
            Expectation::BridgeAddress(address) => format!(
                "write `\"bip\": \"{address}\"` into `{}`, and start the daemon again",
                self.file
            ),
            _ => "start the daemon again: `sudo systemctl restart docker`".to_owned(),
        };
        HostError::NotAsBefore { what: expectation.described(), fix }
    }

    /// The change is as if it had never been.
    pub(super) fn forget(&self, journal: &Journal) -> Result<(), HostError> {
        journal.remove()?;
        marker::clear(self.daemon().socket())
    }

    /// Refuses a way back that leads to settings with which the daemon would not start again:
    /// somebody may have built upon what is to be taken away.
    fn check_way(&self, journal: &Journal) -> Result<(), HostError> {
        // A daemon that is down is helped by any settings of before.
        let Ok(machine) = Machine::look(self.daemon(), None) else { return Ok(()) };
        let settings = |bytes: &[u8]| JsonText::parse(bytes).ok()?.get(&[]);
        for file in journal.files.iter().filter(|file| !file.leaves.is_empty()) {
            let (Way::Write(bytes, _) | Way::TakeOut(bytes, _)) = way_back(file)?.way else {
                continue;
            };
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

    /// Makes the files as they were, or takes ours out of what somebody else wrote since: which of
    /// the two, and what the daemon says when it follows.
    pub(super) fn restore(&self, journal: &Journal) -> Result<(Step, Vec<Expectation>), HostError> {
        // All or none: what cannot be taken back is known before anything is.
        let ways = journal.files.iter().map(way_back).collect::<Result<Vec<_>, _>>()?;
        let (mut step, mut expectations) = (Step::Restored, Vec::new());
        for (file, back) in journal.files.iter().zip(ways) {
            write::discard(&file.real)?;
            let like = file.before.as_ref().map(|kept| kept.backup.as_path());
            match back.way {
                Way::Stay => {}
                Way::Remove => write::remove(&file.real)?,
                Way::Write(bytes, owner) => write::replace(&file.real, &bytes, owner, like)?,
                Way::TakeOut(bytes, owner) => {
                    write::replace(&file.real, &bytes, owner, like)?;
                    step = Step::TakenOut(file.path.clone());
                }
            }
            expectations.extend(back.expectations);
        }
        Ok((step, expectations))
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
        let went = self.go_back(journal, service, told).and_then(|left| {
            let before = &machine.report;
            self.wait(service, &[], |now| {
                verify::lost(&before.images, &now.images, "images")
                    .or_else(|| verify::lost(&before.volumes, &now.volumes, "volumes"))
            })?;
            self.forget(journal)?;
            Ok(left)
        });
        match went {
            Ok(left) => {
                let stopped = self.start_stopped(&machine.report);
                let left = left.map(|left| Box::new(self.not_as_before(&left)));
                HostError::taken_back(failed, left, stopped, log)
            }
            Err(failure) => HostError::stranded(failed, failure, service.log()),
        }
    }

    /// Starts the containers that ran before and do not now: those without a restart policy. Names
    /// the ones that do not start.
    fn start_stopped(&self, before: &DaemonReport) -> Vec<String> {
        let now = self.daemon().report().map(|now| now.running).unwrap_or_default();
        let runs = |name: &str| now.iter().any(|container| container.name == name);
        let names = before.running.iter().map(|container| container.name.clone());
        let starts = |name: &str| {
            let started = self.daemon().start_container(name);
            started.inspect_err(|error| tracing::debug!(%error, name, "it does not start")).is_ok()
        };
        names.filter(|name| !runs(name) && !starts(name)).collect()
    }

    /// Files, units, network, daemon, in this order; then what the daemon says otherwise than
    /// before, if there is something.
    fn go_back(
        &self,
        journal: &Journal,
        service: &dyn ServiceManager,
        told: &mut dyn FnMut(Step),
    ) -> Result<Option<Expectation>, HostError> {
        let (step, mut expectations) = self.restore(journal)?;
        told(step);
        if journal.units {
            service.reload_units()?;
            told(Step::UnitsRead);
        }
        let alive = self.daemon().answers(verify::PATIENCE);
        let interim = Interim::of_start(journal);
        if journal.follow && (journal.restart || !alive) {
            told(Step::Restarting);
            match &interim {
                Some(interim) => {
                    self.with_interim(journal, interim, || self.bring_back(service))?;
                }
                None => self.bring_back(service)?,
            }
            told(Step::Restarted);
        } else if journal.follow {
            let read = match Interim::of_reload(journal) {
                Some(interim) => self.with_interim(journal, &interim, || self.reload(service)),
                None => self.reload(service),
            };
            match read {
                // It was about to end when it was asked.
                Err(HostError::Ended { .. }) => {
                    told(Step::Restarting);
                    self.bring_back(service)?;
                    told(Step::Restarted);
                }
                read => {
                    read?;
                    told(Step::Reloaded);
                }
            }
        }
        if let Some(bridge) = &journal.bridge {
            // The daemon uses it no more.
            remove_bridge(bridge);
        }
        if !journal.follow {
            return Ok(None);
        }
        // Somebody else may have chosen an address since.
        expectations.extend(journal.bridge_before().filter(|_| interim.is_some()));
        match self.wait(service, &expectations, |_| None) {
            Ok(()) => Ok(None),
            Err(HostError::NotAsWanted { .. }) if self.daemon().answers(verify::PATIENCE) => {
                let report = self.daemon().report().map_err(HostError::Daemon)?;
                Ok(expectations.into_iter().find(|it| it.holds(&report) == Some(false)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a daemon says of everything that a change came to no end with what it said before.
fn follows_before(journal: &Journal, report: &DaemonReport) -> bool {
    let before = journal.expectations_before();
    let holds = before.iter().all(|expectation| expectation.holds(report) == Some(true));
    !journal.finished && !before.is_empty() && holds
}

/// Whether a daemon would lose its default runtime by a reload, which it does not outlive.
fn loses_default(journal: &Journal, report: &DaemonReport) -> bool {
    let goes = journal.expectations_before().contains(&Expectation::NoRuntime);
    journal.follow && goes && report.default_runtime == NVIDIA
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
    let changes = |key: &str| {
        let mut leaves = journal.files.iter().flat_map(|file| &file.leaves);
        journal.restart && leaves.any(|leaf| leaf.path.iter().eq([key]))
    };
    let (root, driver) = (changes("data-root"), changes("storage-driver"));
    let images = if root || driver { report.images.len() } else { 0 };
    let volumes = if root { report.volumes.len() } else { 0 };
    if images + volumes > 0 && !consent.hide_images {
        return Err(HostError::WouldHide { images, volumes });
    }
    Ok(())
}

/// The way back of one file.
fn way_back(file: &JournalFile) -> Result<Back, HostError> {
    let all = || file.leaves.iter().filter_map(|leaf| leaf.was.clone()).collect();
    let whole = |way| Ok(Back { way, expectations: all() });
    let Some(state) = FileState::read(&file.real)? else {
        // Somebody else removed it, or it was never made.
        return whole(match &file.before {
            None => Way::Stay,
            Some(kept) => Way::Write(backup(file, kept)?, kept.owner),
        });
    };
    let digest = state.digest();
    match &file.before {
        Some(kept) if kept.digest == digest => whole(Way::Stay),
        Some(kept) if file.after == digest => whole(Way::Write(backup(file, kept)?, kept.owner)),
        None if file.after == digest => whole(Way::Remove),
        _ => ours_alone(file, &state),
    }
}

fn backup(file: &JournalFile, kept: &Kept) -> Result<Vec<u8>, HostError> {
    let state = FileState::read(&kept.backup)?.filter(|state| state.digest() == kept.digest);
    let state = state.ok_or_else(|| HostError::Theirs { path: file.path.clone(), backup: None })?;
    Ok(state.bytes)
}

/// Takes our values out of a file that somebody else changed since. What they made of a value of
/// ours is theirs.
fn ours_alone(file: &JournalFile, state: &FileState) -> Result<Back, HostError> {
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
    let (mut parents, mut expectations) = (BTreeSet::new(), Vec::new());
    for leaf in &file.leaves {
        let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
        if text.get(&path) == leaf.after {
            match &leaf.before {
                Some(written) => text.set_written(&path, written).map_err(|_| theirs())?,
                None => text.remove(&path),
            }
            expectations.extend(leaf.was.clone());
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
    Ok(Back { way: Way::TakeOut(text.bytes(), state.owner), expectations })
}
