//! The unified hierarchy (v2): one tree, in which a group either has processes or gives controllers
//! to its children.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::paths::Places;
use super::{PERIOD, create, quota, remove};
use crate::Limits;

/// The child that processes of a group are moved to, so that the group may give controllers.
const LEAF: &str = "wheelmill-leaf";

/// Makes a group, below the nearest one that gives out memory limits and that we may write to.
pub(super) fn create_group(places: &Places, name: &str, limits: &Limits) -> Option<Utf8PathBuf> {
    let (mount, own) = places.unified.as_ref()?;
    let own = mount.join(own);
    if !gives_memory(&own)
        && own.file_name() != Some(LEAF)
        && let Err(error) = open_for_children(&own)
    {
        tracing::debug!(%error, group = %own, "the own control group cannot have children");
    }
    // A process may be moved out of its group only by whoever may write to a group above both.
    let group = own
        .ancestors()
        .take_while(|group| group.starts_with(mount))
        .filter(|group| gives_memory(group))
        .find_map(|group| create(group, name).ok())?;
    // The limits of the groups that the new one is beside, and not below, would be left behind.
    let left = own.ancestors().take_while(|above| !group.starts_with(above));
    let inherited = left.filter_map(|group| read(group, "memory.max").trim().parse::<u64>().ok());
    let memory = limits.memory.map(|limit| limit.0).into_iter().chain(inherited).min();
    match set(&group, limits, memory) {
        Ok(()) => Some(group),
        Err(error) => {
            tracing::debug!(%error, %group, "limits could not be set");
            remove(&group);
            None
        }
    }
}

fn set(group: &Utf8Path, limits: &Limits, memory: Option<u64>) -> io::Result<()> {
    if let Some(memory) = memory {
        write(group, "memory.max", &memory.to_string())?;
        // Where swap is counted. A build that swaps is slower than one that fails and is run again
        // with fewer jobs. The group does not die as a whole: one compiler does, and is reported.
        match write(group, "memory.swap.max", "0") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    if let Some(cpus) = limits.cpus {
        write(group, "cpu.max", &format!("{} {PERIOD}", quota(cpus)))?;
    }
    if let Some(processes) = limits.processes {
        // Not every group above gives this controller; memory is worth the group without it.
        drop(write(group, "pids.max", &processes.to_string()));
    }
    Ok(())
}

fn gives_memory(group: &Utf8Path) -> bool {
    read(group, "cgroup.subtree_control").split_whitespace().any(|name| name == "memory")
}

/// Lets a group have children with limits: moves its processes to a child. Only when they are all
/// ours: this program, its helpers, and what they started.
fn open_for_children(group: &Utf8Path) -> io::Result<()> {
    let processes: Vec<String> = read(group, "cgroup.procs").lines().map(str::to_owned).collect();
    if processes.is_empty() || !processes.iter().all(|process| is_ours(process)) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let leaf = group.join(LEAF);
    match std::fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for process in processes {
        match write(&leaf, "cgroup.procs", &process) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => {}
            result => result?,
        }
    }
    for controller in ["+cpu", "+pids"] {
        // Not given to us; then such limits cannot be set.
        drop(write(group, "cgroup.subtree_control", controller));
    }
    write(group, "cgroup.subtree_control", "+memory")
}

/// Whether a process is this helper, the program that started it, or another child of that.
fn is_ours(process: &str) -> bool {
    let program = nix::unistd::getppid().to_string();
    let mut process = process.to_owned();
    while process != "1" && process != "0" {
        if process == program {
            return true;
        }
        let status = fs_err::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        match status.lines().find_map(|line| line.strip_prefix("PPid:")) {
            Some(parent) => process = parent.trim().to_owned(),
            None => return false,
        }
    }
    false
}

fn read(group: &Utf8Path, file: &str) -> String {
    std::fs::read_to_string(group.join(file)).unwrap_or_default()
}

fn write(group: &Utf8Path, file: &str, value: &str) -> io::Result<()> {
    std::fs::write(group.join(file), value)
}
