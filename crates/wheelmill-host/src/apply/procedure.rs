//! The way of a change, from the first look to the last.

use serde::Serialize;
use wheelmill_recipe::HostSection;

use super::change::HostChange;
use super::error::HostError;
use super::journal::Journal;
use super::step::Step;
use super::tell::{make_bridge, run};
use super::{marker, verify, write};
use crate::machine::Machine;
use crate::plan::{Action, FileState, HostPlan, plan_with_daemon};
use crate::service::ServiceManager;

/// What the user agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Containers may stop.
    pub stop_containers: bool,
    /// Images and volumes may vanish from sight.
    pub hide_images: bool,
    /// Packages may be installed.
    pub install: bool,
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The machine was as wished.
    Nothing,
    /// It is now.
    Changed,
}

impl HostChange<'_> {
    /// Makes the machine as wished. `told` hears of every step that was done. A change that came to
    /// no end is taken back before.
    ///
    /// # Errors
    /// The wish is not granted, somebody must agree first, or something failed: then everything is
    /// as before, unless the error says otherwise.
    pub fn apply(
        &self,
        wish: &HostSection,
        consent: Consent,
        told: &mut dyn FnMut(Step),
    ) -> Result<Outcome, HostError> {
        if self.stack.latest()?.is_some_and(|journal| !journal.finished) {
            self.undo(consent, told)?;
        }
        let machine = Machine::look(self.daemon(), wish.data_root.as_deref())?;
        let mut plan = self.granted(&machine, wish)?;
        if plan.is_nothing() {
            return Ok(Outcome::Nothing);
        }
        check_consent(&plan, consent)?;
        if !plan.packages.is_empty() {
            install(&plan.packages)?;
            told(Step::Installed);
            // What was missing is checked now as all else is.
            plan = self.granted(&machine, wish)?;
        }
        if !plan.files.is_empty() || plan.action != Action::Nothing {
            let service = self.service(&machine.service, machine.process.as_ref())?;
            let journal = self.begin_journal(&machine, &plan, wish, told)?;
            let mut acted = false;
            let done = self.carry_out(&machine, &plan, &journal, &*service, &mut acted, told);
            if let Err(error) = done {
                // A daemon that was told nothing, or took nothing, has nothing to be told again.
                let follow = acted && !matches!(error, HostError::NotReloaded { .. });
                let journal = Journal { follow, ..journal };
                return Err(self.take_back(&machine, &journal, &*service, error, told));
            }
            self.finish(journal)?;
        }
        if let Some(name) = plan.volume {
            let made = self.daemon().make_volume(&name);
            made.map_err(|source| HostError::Volume { name: name.clone(), source })?;
            told(Step::VolumeMade(name));
        }
        Ok(Outcome::Changed)
    }

    fn granted(&self, machine: &Machine, wish: &HostSection) -> Result<HostPlan, HostError> {
        let plan = plan_with_daemon(machine, self.daemon(), wish)?;
        match plan.refusals.is_empty() {
            true => Ok(plan),
            false => Err(HostError::Refused(plan.refusals)),
        }
    }

    /// Keeps the files as they are, writes beside them what they shall become, and notes everything.
    /// Nothing has changed yet, and where that fails, nothing of it is left.
    fn begin_journal(
        &self,
        machine: &Machine,
        plan: &HostPlan,
        wish: &HostSection,
        told: &mut dyn FnMut(Step),
    ) -> Result<Journal, HostError> {
        let mut journal = self.stack.begin(machine, self.daemon().socket())?;
        journal.restart = plan.action == Action::Restart;
        journal.follow = plan.action != Action::Nothing;
        journal.units = plan.units;
        journal.bridge_address.clone_from(&plan.bridge_moves_from);
        journal.bridge = wish.bridge.clone().filter(|_| !plan.network.is_empty());
        self.note(&mut journal, plan, told).inspect_err(|_| {
            for change in &plan.files {
                drop(write::discard(&change.real));
            }
            drop(self.forget(&journal));
        })?;
        Ok(journal)
    }

    fn note(
        &self,
        journal: &mut Journal,
        plan: &HostPlan,
        told: &mut dyn FnMut(Step),
    ) -> Result<(), HostError> {
        for change in &plan.files {
            let kept = journal.keep(change)?;
            journal.files.push(kept);
            told(Step::Kept(change.path.clone()));
        }
        for change in &plan.files {
            let owner = match &change.before {
                Some(state) => state.owner,
                None => write::own(change.mode),
            };
            write::prepare(&change.real, &change.after, owner, None)?;
        }
        if plan.files.iter().any(|change| !change.leaves.is_empty()) {
            told(Step::Validated { unasked: plan.unasked.clone() });
        }
        marker::set(self.daemon().socket(), &self.file)?;
        journal.write()?;
        told(Step::Noted);
        Ok(())
    }

    /// What changed no file is not worth taking back.
    fn finish(&self, journal: Journal) -> Result<(), HostError> {
        if journal.files.is_empty() {
            return self.forget(&journal);
        }
        Journal { finished: true, ..journal }.write()?;
        marker::clear(self.daemon().socket())
    }

    fn carry_out(
        &self,
        machine: &Machine,
        plan: &HostPlan,
        journal: &Journal,
        service: &dyn ServiceManager,
        acted: &mut bool,
        told: &mut dyn FnMut(Step),
    ) -> Result<(), HostError> {
        for change in &plan.files {
            if FileState::read(&change.real)? != change.before {
                return Err(HostError::Changed { path: change.path.clone() });
            }
            write::commit(&change.real)?;
            told(Step::Replaced(change.path.clone()));
        }
        if let Some(bridge) = &journal.bridge {
            make_bridge(&plan.network, bridge)?;
            told(Step::Bridged);
        }
        if plan.units {
            service.reload_units()?;
            told(Step::UnitsRead);
        }
        *acted = plan.action != Action::Nothing;
        match plan.action {
            Action::Nothing => {}
            Action::Reload => {
                self.reload(service)?;
                told(Step::Reloaded);
            }
            Action::Restart => {
                told(Step::Restarting);
                self.restart(service)?;
                told(Step::Restarted);
            }
        }
        let before = &machine.report;
        self.wait(service, &plan.expectations, |now| {
            let images = plan.hides_images.is_empty().then_some(&before.images[..]);
            let volumes = plan.hides_volumes.is_empty().then_some(&before.volumes[..]);
            verify::lost(images.unwrap_or_default(), &now.images, "images")
                .or_else(|| verify::lost(volumes.unwrap_or_default(), &now.volumes, "volumes"))
        })?;
        told(Step::Verified);
        Ok(())
    }
}

fn check_consent(plan: &HostPlan, consent: Consent) -> Result<(), HostError> {
    if !plan.packages.is_empty() && !consent.install {
        return Err(HostError::NotInstalled { commands: plan.packages.clone() });
    }
    if !plan.stops.is_empty() && !consent.stop_containers {
        return Err(would_stop(plan.stops.iter().map(|container| container.name.as_str())));
    }
    let (images, volumes) = (plan.hides_images.len(), plan.hides_volumes.len());
    if images + volumes > 0 && !consent.hide_images {
        return Err(HostError::WouldHide { images, volumes });
    }
    Ok(())
}

pub(super) fn would_stop<'a>(names: impl Iterator<Item = &'a str>) -> HostError {
    let names: Vec<&str> = names.collect();
    let count = match names.len() {
        1 => "1 container".to_owned(),
        many => format!("{many} containers"),
    };
    HostError::WouldStop { count, names: names.join(", ") }
}

fn install(commands: &[String]) -> Result<(), HostError> {
    for command in commands {
        run(&["sh".to_owned(), "-ec".to_owned(), command.clone()])?;
    }
    Ok(())
}
