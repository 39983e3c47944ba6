//! The way of a change, from the first look to the last.

use std::process::Command;

use serde::Serialize;
use wheelmill_recipe::HostSection;

use super::change::HostChange;
use super::error::HostError;
use super::journal::{Journal, JournalFile, Kept};
use super::step::Step;
use super::tell::{make_bridge, run};
use super::{verify, write};
use crate::machine::Machine;
use crate::plan::{self, Action, FileChange, FileState, HostPlan};
use crate::service::ServiceManager;

/// The first Docker whose daemon can check settings without starting.
const VALIDATES: u64 = 23;

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
    /// Makes the machine as wished. `told` hears of every step that was done.
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
        let machine = Machine::look(self.daemon(), wish.data_root.as_deref())?;
        let mut plan = plan::plan(&machine, wish)?;
        if !plan.refusals.is_empty() {
            return Err(HostError::Refused(plan.refusals));
        }
        if plan.is_nothing() {
            return Ok(Outcome::Nothing);
        }
        check_consent(&plan, consent)?;
        if !plan.packages.is_empty() {
            install(&plan.packages)?;
            told(Step::Installed);
            // What was missing is checked now as all else is.
            plan = plan::plan(&machine, wish)?;
            if !plan.refusals.is_empty() {
                return Err(HostError::Refused(plan.refusals));
            }
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
            Journal { finished: true, ..journal }.write(&self.folder)?;
        }
        if let Some(name) = plan.volume {
            let made = self.daemon().make_volume(&name);
            made.map_err(|source| HostError::Volume { name: name.clone(), source })?;
            told(Step::VolumeMade(name));
        }
        Ok(Outcome::Changed)
    }

    /// Keeps the files as they are, lets the daemon check what they shall become, and notes
    /// everything. Nothing has changed yet.
    fn begin_journal(
        &self,
        machine: &Machine,
        plan: &HostPlan,
        wish: &HostSection,
        told: &mut dyn FnMut(Step),
    ) -> Result<Journal, HostError> {
        let mut journal = Journal::new(machine.service.clone(), machine.process.clone());
        for change in &plan.files {
            journal.files.push(self.keep(change, &journal)?);
            told(Step::Kept(change.path.clone()));
        }
        journal.restart = plan.action == Action::Restart;
        journal.follow = plan.action != Action::Nothing;
        journal.units = plan.units;
        journal.bridge = wish.bridge.clone().filter(|_| !plan.network.is_empty());
        journal.expectations.clone_from(&plan.expectations);
        for change in &plan.files {
            let owner = match &change.before {
                Some(state) => state.owner,
                None => write::own(change.mode),
            };
            write::prepare(&change.real, &change.after, owner)?;
        }
        match validate(machine, plan) {
            Ok(by_daemon) => told(Step::Validated { by_daemon }),
            Err(error) => {
                for change in &plan.files {
                    write::discard(&change.real)?;
                }
                return Err(error);
            }
        }
        journal.write(&self.folder)?;
        told(Step::Noted);
        Ok(journal)
    }

    fn keep(&self, change: &FileChange, journal: &Journal) -> Result<JournalFile, HostError> {
        let before = match &change.before {
            None => None,
            Some(state) => {
                let backup = JournalFile::backup(&self.folder, &change.path, journal.began);
                write::replace(&backup, &state.bytes, state.owner)?;
                Some(Kept { backup, digest: state.digest(), owner: state.owner })
            }
        };
        Ok(JournalFile {
            path: change.path.clone(),
            real: change.real.clone(),
            before,
            after: wheelmill_model::Digest::of(&change.after),
            leaves: change.leaves.clone(),
        })
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
                service.restart()?;
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

/// Lets the daemon's own program look at the settings, with the options that it really has: only
/// so it sees what is given twice. Whether it could be asked.
fn validate(machine: &Machine, plan: &HostPlan) -> Result<bool, HostError> {
    let release = machine.report.version.split('.').next().and_then(|part| part.parse().ok());
    let settings = plan.files.iter().find(|change| change.path == machine.settings);
    let (Some(process), Some(change)) = (&machine.process, settings) else { return Ok(false) };
    if release.is_none_or(|release: u64| release < VALIDATES) {
        return Ok(false);
    }
    let mut command = Command::new(&process.program);
    // The last of two options counts.
    command.arg("--validate").args(&process.arguments);
    command.arg("--config-file").arg(write::beside(&change.real));
    command.current_dir(&process.folder).env_clear();
    command.envs(process.environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().map_err(|error| HostError::Command {
        command: format!("{} --validate", process.program),
        output: error.to_string(),
    })?;
    if output.status.success() {
        return Ok(true);
    }
    let printed = [output.stdout, output.stderr].concat();
    Err(HostError::Invalid { output: String::from_utf8_lossy(&printed).trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use camino::{Utf8Path, Utf8PathBuf};
    use wheelmill_engine::DaemonReport;
    use wheelmill_recipe::Project;

    use super::*;
    use crate::machine::{DaemonOptions, DaemonProcess};
    use crate::service::ServiceKind;

    /// A machine whose daemon is a script.
    fn machine(folder: &Utf8Path, version: &str, script: &str) -> Machine {
        let program = folder.join("dockerd");
        fs_err::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(&program, mode).expect("it is ours");
        let words = ["-H", "fd://", "--config-file", "/etc/docker/daemon.json"];
        Machine {
            report: DaemonReport { version: version.to_owned(), ..DaemonReport::default() },
            process: Some(DaemonProcess {
                id: 1,
                program,
                arguments: words.map(str::to_owned).to_vec(),
                folder: "/".into(),
                environment: Vec::new(),
                log: None,
            }),
            options: DaemonOptions::default(),
            settings: folder.join("daemon.json"),
            service: ServiceKind::Process,
            routes: Vec::new(),
            bridge_keeper: None,
            data_root: None,
            release: String::new(),
            root: folder.to_owned(),
        }
    }

    #[test]
    fn the_daemons_own_check_is_asked_with_its_real_options() {
        let folder = tempfile::tempdir().unwrap();
        let folder: Utf8PathBuf = folder.path().to_path_buf().try_into().unwrap();
        fs_err::create_dir_all(&folder).unwrap();
        let text = "[host]\naddress-pools = [{ base = \"10.201.0.0/16\", size = 24 }]\n";
        let wish = Project::parse(text, "wheelmill.toml".into()).unwrap().host;
        let check = |version: &str, script: &str| {
            let machine = machine(&folder, version, script);
            let plan = plan::plan(&machine, &wish).unwrap();
            validate(&machine, &plan)
        };
        let new = folder.join(".daemon.json.wheelmill");
        let script = format!(
            "[ \"$*\" = \"--validate -H fd:// --config-file /etc/docker/daemon.json \
             --config-file {new}\" ]"
        );
        assert!(check("29.7.2", &script).unwrap());
        // What the daemon says of settings that its options contradict.
        let error = check("28.3.0", "echo 'hosts: (from flag: [fd://])' >&2; exit 1").unwrap_err();
        let HostError::Invalid { output } = error else { panic!("{error:?}") };
        assert_eq!(output, "hosts: (from flag: [fd://])");
        // One that knows no such option is not asked.
        assert!(!check("20.10.24+dfsg1", "exit 1").unwrap());
    }
}
