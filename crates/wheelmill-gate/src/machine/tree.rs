//! The memory of a compiler with everything that it started.

use std::fs;

/// A tree that is larger than this is not a compiler's.
const MOST_PROCESSES: usize = 4096;

/// What all processes below one hold that could not be had again from files, in bytes. Those that
/// end meanwhile do not count. None when the process is gone.
///
/// Pages of files are left out: the kernel drops them before it kills, and compilers of one kind
/// share them.
pub(crate) fn memory_below(process: i32) -> Option<u64> {
    let mut found = children(process)?;
    let mut next = 0;
    let mut sum = 0_u64;
    while let Some(&process) = found.get(next) {
        next += 1;
        sum = sum.saturating_add(own_memory(process).unwrap_or(0));
        if found.len() < MOST_PROCESSES {
            found.extend(children(process).unwrap_or_default());
        }
    }
    Some(sum)
}

/// Each thread has children of its own.
fn children(process: i32) -> Option<Vec<i32>> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let mut found = Vec::new();
    for thread in threads.flatten() {
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|number| number.parse::<i32>().ok()));
    }
    Some(found)
}

/// Resident pages that are not shared with files, as proc_pid_statm(5) has them.
fn own_memory(process: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let mut pages = text.split_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared).saturating_mul(page_size()))
}

/// In bytes.
pub(super) fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn grandchildren_are_counted() {
        const SCRIPT: &str =
            "head -c 100000000 /dev/zero | (x=$(tr '\\0' x); echo ready; sleep 60; :)";
        let mut shell =
            Command::new("sh").args(["-c", SCRIPT]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let memory = memory_below(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(memory > 95_000_000, "{memory}");
        for child in children(shell.id() as i32).unwrap() {
            let kill = |process| {
                let process = nix::unistd::Pid::from_raw(process);
                let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
            };
            children(child).unwrap_or_default().into_iter().for_each(kill);
            kill(child);
        }
        drop(shell.kill());
        shell.wait().unwrap();
    }

    #[test]
    fn who_is_gone_holds_nothing() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(memory_below(child.id() as i32), None);
    }
}
