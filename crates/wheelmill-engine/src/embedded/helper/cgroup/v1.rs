//! The old kind: one hierarchy for each controller.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::paths::Places;
use super::{PERIOD, create, quota, remove};
use crate::Limits;

/// Makes a group in each hierarchy that is needed; memory's first.
pub(super) fn create_groups(
    places: &Places,
    name: &str,
    limits: &Limits,
) -> Option<Vec<Utf8PathBuf>> {
    let memory = create(places.v1("memory")?, name).ok()?;
    if let Some(limit) = limits.memory
        && set_memory(&memory, limit.0).is_err()
    {
        remove(&memory);
        return None;
    }
    let mut folders = vec![memory];
    if let Some(cpus) = limits.cpus {
        folders.extend(limited(places, "cpu", name, |folder| {
            write(folder, "cpu.cfs_period_us", PERIOD)?;
            write(folder, "cpu.cfs_quota_us", quota(cpus))
        }));
    }
    if let Some(processes) = limits.processes {
        folders
            .extend(limited(places, "pids", name, |folder| write(folder, "pids.max", processes)));
    }
    Some(folders)
}

fn set_memory(folder: &Utf8Path, limit: u64) -> io::Result<()> {
    write(folder, "memory.limit_in_bytes", limit)?;
    // Memory and swap together; not every kernel counts swap.
    match write(folder, "memory.memsw.limit_in_bytes", limit) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// A group in another hierarchy; none when that is not possible.
fn limited(
    places: &Places,
    controller: &str,
    name: &str,
    set: impl FnOnce(&Utf8Path) -> io::Result<()>,
) -> Option<Utf8PathBuf> {
    let folder = create(places.v1(controller)?, name).ok()?;
    if let Err(error) = set(&folder) {
        tracing::debug!(%error, controller, "a limit could not be set");
        remove(&folder);
        return None;
    }
    Some(folder)
}

fn write(folder: &Utf8Path, file: &str, value: u64) -> io::Result<()> {
    std::fs::write(folder.join(file), value.to_string())
}
