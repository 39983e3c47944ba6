//! The processes below a process.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid};

/// All processes below one, at this moment.
pub(super) fn of(process: Pid) -> Vec<Pid> {
    let mut found = children(process);
    let mut next = 0;
    while let Some(process) = found.get(next) {
        found.extend(children(*process));
        next += 1;
    }
    found
}

/// Kills all processes below this one, and waits until they are gone. It must adopt orphans.
pub(super) fn kill_all() {
    loop {
        for process in of(getpid()) {
            // It may have ended meanwhile.
            let _ = kill(process, Signal::SIGKILL);
        }
        // One that forks while others are killed is found in the next round: when its parents are
        // dead it is a child of this process.
        match waitpid(None, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

fn children(process: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(str::parse).collect::<Vec<_>>())
        .filter_map(|number| number.ok().map(Pid::from_raw))
        .collect()
}
