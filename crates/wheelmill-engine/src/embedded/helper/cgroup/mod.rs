//! Control groups: limits and figures of all processes of a container together.
//!
//! A group of our own is made below the one that this process is in, in the old hierarchies (v1) or
//! the unified one (v2), where we have the rights. Where we have none, memory is sampled instead.

mod paths;
mod unified;
mod v1;

use std::io;
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::Pid;

use crate::Limits;

/// Where the groups of containers are named so that leftovers are known.
const PREFIX: &str = "wheelmill-";

/// The groups that one container is in.
pub(super) struct ControlGroup {
    /// One for each hierarchy that is used; the one that counts memory first.
    folders: Vec<Utf8PathBuf>,
    unified: bool,
}

/// What a group has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) peak_memory: Option<u64>,
    pub(super) oom_kills: u64,
}

impl ControlGroup {
    /// Makes groups with limits. `None` where this process may not count memory; that is usual.
    pub(super) fn new(limits: &Limits) -> Option<Self> {
        let places = paths::Places::of_this_process();
        let name = format!("{PREFIX}{}", std::process::id());
        let (folders, unified) = match v1::create_groups(&places, &name, limits) {
            Some(folders) => (folders, false),
            None => (vec![unified::create_group(&places, &name, limits)?], true),
        };
        Some(Self { folders, unified })
    }

    /// Puts a process in; all that it starts later is in too.
    pub(super) fn add(&self, process: Pid) -> io::Result<()> {
        self.folders
            .iter()
            .try_for_each(|folder| fs_err::write(folder.join("cgroup.procs"), process.to_string()))
    }

    /// What was counted until now.
    pub(super) fn figures(&self) -> Figures {
        let memory = &self.folders[0];
        let (peak, kills) = if self.unified {
            ("memory.peak", "memory.events")
        } else {
            ("memory.max_usage_in_bytes", "memory.oom_control")
        };
        let read = |name: &str| fs_err::read_to_string(memory.join(name)).unwrap_or_default();
        Figures {
            peak_memory: read(peak).trim().parse().ok(),
            oom_kills: counter(&read(kills), "oom_kill").unwrap_or(0),
        }
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove(folder);
        }
    }
}

/// A group can be removed only a moment after its last process has gone.
fn remove(folder: &Utf8Path) {
    for _ in 0..50 {
        match std::fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                thread::sleep(Duration::from_millis(2));
            }
            _ => return,
        }
    }
}

/// Makes the folder of a group. On the way, groups of helpers that were killed are removed.
fn create(parent: &Utf8Path, name: &str) -> io::Result<Utf8PathBuf> {
    for entry in parent.read_dir_utf8()?.flatten() {
        let process = entry.file_name().strip_prefix(PREFIX);
        if let Some(process) = process
            && !Utf8Path::new("/proc").join(process).exists()
        {
            // When it is busy after all, it stays.
            drop(std::fs::remove_dir(entry.path()));
        }
    }
    let folder = parent.join(name);
    fs_err::create_dir(&folder)?;
    Ok(folder)
}

/// A number from a file of lines such as `oom_kill 3`.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// How long a group may compute in each period, in microseconds.
fn quota(cpus: f64) -> u64 {
    // The kernel takes no less than a millisecond.
    (cpus * PERIOD as f64).max(1_000.0) as u64
}

/// The kernel's usual period, in microseconds.
const PERIOD: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_whole_name() {
        let events = "low 0\noom 2\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(counter(events, "oom_kill"), Some(3));
        assert_eq!(counter(events, "oom"), Some(2));
        assert_eq!(counter("oom_kill_disable 0\nunder_oom 0\n", "oom_kill"), None);
    }

    #[test]
    fn fractions_of_processors_become_quotas() {
        assert_eq!(quota(1.5), 150_000);
        assert_eq!(quota(0.0), 1_000);
    }
}
