//! Ends a compiler with all that it started.

use std::fs;

use crate::protocol::Ending;
use crate::sys::{self, SIGKILL};

/// Kills a child and everything below it, and waits until it is gone. Daemons that the compiler
/// had left behind before are not below it any more, and live on.
pub(crate) fn kill(child: i32) -> Ending {
    sys::adopt_orphans(true);
    // From the top, so that nobody complains about the death of what it started.
    for process in [vec![child], below(child)].concat() {
        sys::send(process, SIGKILL);
    }
    let ending = sys::reap_surely(child);
    // What forked meanwhile has become this process's own.
    loop {
        for process in below(i32::try_from(std::process::id()).unwrap_or(0)) {
            sys::send(process, SIGKILL);
        }
        if !sys::reap_any() {
            break;
        }
    }
    sys::adopt_orphans(false);
    ending
}

/// All processes below one.
fn below(process: i32) -> Vec<i32> {
    let mut found = children(process);
    let mut next = 0;
    while let Some(&process) = found.get(next) {
        found.extend(children(process));
        next += 1;
    }
    found
}

/// Of compilers, which have one thread, and of this program.
fn children(process: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|number| number.parse().ok())
        .collect()
}
