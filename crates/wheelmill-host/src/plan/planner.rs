//! Makes a plan.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use wheelmill_recipe::{HostSection, NVIDIA_RUNTIME, NvidiaRuntime};

use super::bridge::bridge;
use super::change::{Action, HostPlan, KeyChange, Refusal, Remark};
use super::check::is_own;
use super::file::{FileChange, FileError, FileState, LeafChange, real_path};
use super::leaf::{Expectation, Leaf, NVIDIA, leaves};
use super::{check, danger, package, unit};
use crate::json::{JsonError, JsonText};
use crate::machine::{DaemonKind, Machine};
use crate::service::ServiceKind;

/// A plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The daemon's settings are not what a daemon reads.
    #[error("`{path}` cannot be changed as it is")]
    Settings {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
}

/// Says what a wish changes on a machine. Nothing is written, and the daemon is not asked.
///
/// # Errors
/// A file cannot be read, or the daemon's settings are no JSON that `dockerd` takes.
pub fn plan(machine: &Machine, wish: &HostSection) -> Result<HostPlan, PlanError> {
    let mut plan = HostPlan {
        refusals: danger::refusals(machine, wish),
        remarks: danger::remarks(machine, wish),
        files: Vec::new(),
        keys: Vec::new(),
        action: Action::Nothing,
        units: false,
        network: Vec::new(),
        stops: Vec::new(),
        hides_images: Vec::new(),
        hides_volumes: Vec::new(),
        volume: None,
        packages: Vec::new(),
        unasked: None,
        bridge_moves_from: None,
        expectations: Vec::new(),
    };
    // What is changed elsewhere has no file here.
    let here = matches!(DaemonKind::of(&machine.report), DaemonKind::Docker | DaemonKind::Rootless);
    if here {
        install_runtime(&mut plan, machine, wish);
        change_settings(&mut plan, machine, wish)?;
        keep_bridge(&mut plan, machine, wish)?;
        wait_for_devices(&mut plan, machine, wish)?;
        plan.action = plan.keys.iter().map(|key| key.action).max().unwrap_or(Action::Nothing);
        tell_losses(&mut plan, machine);
    }
    let volume = wish.build_volume.clone();
    let hidden = !plan.hides_volumes.is_empty();
    plan.volume = volume.filter(|volume| hidden || !machine.report.volumes.contains(volume));
    Ok(plan)
}

/// The runtime must be there before it is registered: `dockerd` does not look.
fn install_runtime(plan: &mut HostPlan, machine: &Machine, wish: &HostSection) {
    let Some(NvidiaRuntime::Program(program)) = &wish.nvidia_runtime else { return };
    let Some(process) = &machine.process else { return };
    if process.find_program(program.as_str()).is_some() || is_found_by_name(machine) {
        return;
    }
    // Packages bring NVIDIA's own, and no other: of that the check of the settings tells.
    if program.file_name() != Utf8Path::new(NVIDIA_RUNTIME).file_name() {
        return;
    }
    plan.packages = package::commands(&machine.release);
    if plan.packages.is_empty() {
        plan.refusals.push(Refusal::machine(
            "runtime-missing",
            format!("there is no `{program}`"),
            "install NVIDIA's container toolkit: https://docs.nvidia.com/datacenter/cloud-native/\
             container-toolkit/latest/install-guide.html",
        ));
    }
}

/// Whether NVIDIA's runtime is registered by its mere name, and the daemon finds it so.
fn is_found_by_name(machine: &Machine) -> bool {
    let state = FileState::read(&real_path(&machine.settings)).ok().flatten();
    let text = state.and_then(|state| JsonText::parse(&state.bytes).ok());
    let named = text.and_then(|text| text.get(&["runtimes", NVIDIA, "path"]));
    let name = Utf8Path::new(NVIDIA_RUNTIME).file_name();
    name.is_some_and(|name| {
        named.as_ref().and_then(Value::as_str) == Some(name)
            && machine.process.as_ref().is_some_and(|it| it.find_program(name).is_some())
    })
}

fn change_settings(
    plan: &mut HostPlan,
    machine: &Machine,
    wish: &HostSection,
) -> Result<(), PlanError> {
    let path = &machine.settings;
    let wrong = |source| PlanError::Settings { path: path.clone(), source };
    let real = real_path(path);
    let before = FileState::read(&real)?;
    let bytes = before.as_ref().map_or(&[][..], |state| &state.bytes);
    let mut text = JsonText::parse(bytes).map_err(wrong)?;
    let mut changes = Vec::new();
    let by_name = is_found_by_name(machine);
    for mut leaf in leaves(wish) {
        // What works is not written anew for the sake of its path.
        if by_name && leaf.expectation == Expectation::Runtime(NVIDIA_RUNTIME.into()) {
            leaf.value = text.get(&leaf.path);
            let name = Utf8Path::new(NVIDIA_RUNTIME).file_name().unwrap_or_default();
            leaf.expectation = Expectation::Runtime(name.into());
        }
        if let Some(option) = option_of(machine, &leaf) {
            if leaf.as_option() != Some(&option) {
                plan.refusals.push(option_twice(&leaf, &option));
            }
            continue;
        }
        let written = text.written(&leaf.path).map(str::to_owned);
        let from = text.get(&leaf.path);
        match &leaf.value {
            Some(value) => text.set(&leaf.path, value).map_err(wrong)?,
            None => text.remove(&leaf.path),
        }
        let differs = from != leaf.value;
        if differs {
            changes.push(LeafChange {
                path: leaf.path.iter().map(|key| (*key).to_owned()).collect(),
                before: written,
                after: leaf.value.clone(),
                was: leaf.expectation.before(&leaf.path, from.as_ref(), &machine.report),
            });
        }
        if differs || leaf.expectation.holds(&machine.report) == Some(false) {
            let key = leaf.key();
            // A reload of settings that do not name a runtime leaves it where it is.
            let stays = !differs && leaf.expectation == Expectation::NoRuntime;
            let action = if stays { Action::Restart } else { leaf.action };
            plan.keys.push(KeyChange { key, from, to: leaf.value, action });
        }
        plan.expectations.push(leaf.expectation);
    }
    keep_default_runtime(plan, machine, &text);
    move_bridge(plan, machine, &text);
    if !plan.keys.is_empty() {
        // A program that is installed before is no problem.
        let missing = |refusal: &Refusal| refusal.code == "runtime-missing";
        let installs = !plan.packages.is_empty();
        let problems =
            check::problems(&text.value(), &machine.options, machine.process.as_ref()).into_iter();
        plan.refusals.extend(problems.filter(|problem| !(installs && missing(problem))));
    }
    if !changes.is_empty() {
        let (path, after, mode) = (path.clone(), text.bytes(), 0o644);
        plan.files.push(FileChange { path, real, before, after, mode, leaves: changes });
    }
    Ok(())
}

/// A daemon that runs with a default runtime, though its settings do not name it any more, panics
/// when it reads that this one is not registered (20.10); one that is started again has no such
/// memory.
fn keep_default_runtime(plan: &mut HostPlan, machine: &Machine, text: &JsonText) {
    let name = &machine.report.default_runtime;
    let registered = text.get(&["runtimes"]).unwrap_or_default();
    let is_lost = registered.is_object()
        && registered[name].is_null()
        && !is_own(name)
        && machine.options.runtime(name).is_none();
    let mut reloads = plan.keys.iter_mut().filter(|key| key.action == Action::Reload).peekable();
    if !is_lost || reloads.peek().is_none() {
        return;
    }
    reloads.for_each(|key| key.action = Action::Restart);
    plan.remarks.push(Remark {
        message: format!(
            "the daemon that runs has `{name}` as its default runtime, and would not outlive a \
             reload without it: it is started again"
        ),
        hint: None,
    });
}

/// Docker's own bridge, where nothing says its address, takes it out of the pools. It keeps it when
/// they are gone (tried with 20.10), so the way back must know of it.
fn move_bridge(plan: &mut HostPlan, machine: &Machine, text: &JsonText) {
    let is_said = |key: &str| {
        machine.options.value(key).is_some() || !text.get(&[key]).unwrap_or_default().is_null()
    };
    let pools = plan.keys.iter().find(|key| key.key == "default-address-pools");
    let (Some(pools), Some(address)) = (pools, &machine.report.bridge_address) else { return };
    if pools.to.is_none() || pools.from == pools.to || is_said("bip") || is_said("bridge") {
        return;
    }
    plan.bridge_moves_from = Some(address.clone());
    plan.remarks.push(Remark {
        message: format!(
            "Docker's own bridge takes its address out of the new pools, too; it has {address} now"
        ),
        hint: Some(format!("to keep it, write `bridge-address = \"{address}\"`, too")),
    });
}

/// What the command line says about a key.
fn option_of(machine: &Machine, leaf: &Leaf) -> Option<String> {
    match &leaf.expectation {
        Expectation::Runtime(_) | Expectation::NoRuntime => {
            machine.options.runtime("nvidia").map(Utf8PathBuf::into_string)
        }
        _ => machine.options.value(leaf.path[0]).map(str::to_owned),
    }
}

fn option_twice(leaf: &Leaf, option: &str) -> Refusal {
    Refusal::machine(
        "option-twice",
        format!(
            "`{}` is an option of the daemon's command line already (`{option}`), and it starts \
             with only one of them",
            leaf.path[0]
        ),
        "take the option out of the service's `ExecStart`, in a drop-in made with `systemctl edit \
         docker`",
    )
}

fn keep_bridge(
    plan: &mut HostPlan,
    machine: &Machine,
    wish: &HostSection,
) -> Result<(), PlanError> {
    let (Some(name), Some(address)) = (&wish.bridge, wish.bridge_address) else { return Ok(()) };
    let Some(keeper) = machine.bridge_keeper else { return Ok(()) };
    let bridge = bridge(keeper, &machine.root, name, address);
    for (path, text, mode) in bridge.files {
        if let Some(change) = FileChange::new(&path, mode, |_| text.into_bytes())? {
            plan.files.push(change);
            plan.network.clone_from(&bridge.commands);
        }
    }
    Ok(())
}

/// A drop-in, where systemd starts the daemon and its disk or bridge might come later.
fn wait_for_devices(
    plan: &mut HostPlan,
    machine: &Machine,
    wish: &HostSection,
) -> Result<(), PlanError> {
    let ServiceKind::Systemd { unit, user: false } = &machine.service else { return Ok(()) };
    let mut lines = Vec::new();
    if let Some(folder) = wish.data_root.as_ref().filter(|_| danger::lies_apart(machine)) {
        lines.extend(unit::mounts_for(folder));
    }
    if let Some(bridge) = &wish.bridge {
        lines.extend(unit::after_device(bridge));
    }
    if lines.is_empty() {
        return Ok(());
    }
    let path = unit::drop_in(&machine.root, unit);
    if let Some(change) = FileChange::new(&path, 0o644, |before| unit::with_lines(before, &lines))?
    {
        plan.files.push(change);
        plan.units = true;
        plan.remarks.push(Remark {
            message: "systemd reads its units anew, which takes the GPU away from containers that \
                      run with NVIDIA's legacy hook"
                .to_owned(),
            hint: Some("make such containers anew when `nvidia-smi` fails in them".to_owned()),
        });
    }
    Ok(())
}

/// What stops, and what would not be seen any more.
fn tell_losses(plan: &mut HostPlan, machine: &Machine) {
    let report = &machine.report;
    let changes = |key: &str| plan.keys.iter().any(|change| change.key == key);
    // Containers do not outlive a change of what they are connected to or made of.
    let moves = ["bip", "bridge", "data-root", "storage-driver"].into_iter().any(changes);
    let spared = report.live_restore && !moves;
    let (root, driver) = (changes("data-root"), changes("storage-driver"));
    if plan.action == Action::Restart && !spared {
        plan.stops.clone_from(&report.running);
    }
    if root || driver {
        plan.hides_images.clone_from(&report.images);
    }
    if root {
        plan.hides_volumes.clone_from(&report.volumes);
    }
    let folder = plan.keys.iter().find(|change| change.key == "data-root");
    if let Some(to) = folder.and_then(|change| change.to.as_ref()?.as_str())
        && !(plan.hides_images.is_empty() && plan.hides_volumes.is_empty())
    {
        plan.remarks.push(Remark {
            message: format!("what is in `{}` stays there, and is not seen in `{to}`", report.root),
            hint: Some(format!(
                "to take it along, stop Docker first: `sudo rsync -aHAXS --numeric-ids {}/ {to}/`",
                report.root
            )),
        });
    }
}
