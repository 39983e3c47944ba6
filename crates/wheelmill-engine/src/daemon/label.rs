//! Whose a container or an image is: labels, names, and the process that they name.

use std::sync::atomic::{AtomicU64, Ordering};

use camino::Utf8Path;
use wheelmill_model::Digest;

use crate::Mount;

/// The label that names the process that a container belongs to.
pub(super) const OWNER: &str = "dev.wheelmill.owner";

/// The label that has the folders of this machine that a container may write to, one a line.
pub(super) const WRITES: &str = "dev.wheelmill.writes";

/// The label that names the step that an image, or a part of one, belongs to.
pub(super) const STEP: &str = "dev.wheelmill.step";

/// The label that says what the step is that an image ends with.
pub(super) const TITLE: &str = "dev.wheelmill.title";

/// This process, by a name that no other ever has: the boot, the namespace in which numbers are
/// given, the number, and the moment of its start.
pub(super) fn this_process() -> String {
    let pid = std::process::id();
    format!("{} {pid} {}", numbering(), started(pid).unwrap_or_default())
}

/// The folders that mounts let a container write to, as its label has them.
pub(super) fn writes(mounts: &[Mount]) -> String {
    let writable = mounts.iter().filter(|mount| mount.writable);
    writable.map(|mount| mount.source.as_str()).collect::<Vec<_>>().join("\n")
}

/// Whether one of the folders of such a label lies in another, whose name no other folder has: its
/// path may lead over another link than it did then.
pub(super) fn writes_in(label: &str, folder: &Utf8Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    label.lines().any(|path| Utf8Path::new(path).components().any(|part| part.as_str() == name))
}

/// A name for a container, after what it is for, that no other container has.
pub(super) fn unique_name(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let digest = Digest::of(format!("{} {count}", this_process()).as_bytes()).to_string();
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let what: String =
        what.chars().map(|letter| if allowed(letter) { letter } else { '-' }).collect();
    let parts = ["wheelmill", &what, &digest[..8]];
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Whether a process that was given its number here, in this boot, has ended. Of others nothing is
/// known: programs in several containers may share one daemon.
pub(super) fn is_gone(owner: &str) -> bool {
    let Some((numbering_then, rest)) = owner.split_once(' ') else { return false };
    let Some((pid, started_then)) = rest.split_once(' ') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    numbering_then == numbering() && started(pid).as_deref() != Some(started_then)
}

/// What gives processes their numbers: the boot of the machine, and the namespace in it.
fn numbering() -> String {
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs_err::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), namespace.display())
}

/// When a process started, proc_pid_stat(5); none when there is no such process.
fn started(pid: u32) -> Option<String> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(22 - 3).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_has_ended_is_gone() {
        assert!(!is_gone(&this_process()));
        assert!(is_gone(&format!("{} {} 1", numbering(), std::process::id())));
        assert!(!is_gone("another-boot/pid:[1] 1 1"));
        assert!(!is_gone("nonsense"));
    }
}
