//! Watching memory where no control group can be made: by asking the kernel again and again.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::descendants;

/// The shortest time between two samples.
const SHORTEST: Duration = Duration::from_millis(50);

/// How much of the time may be spent on taking samples: one part in so many.
const SHARE: u32 = 20;

/// Sums up the memory of a process tree from time to time.
///
/// A sample is the sum of proportional set sizes, in which memory that is shared between processes
/// counts once. A peak between two samples is not seen.
pub(super) struct Sampler {
    init: Pid,
    limit: Option<u64>,
    peak: u64,
    next: Instant,
}

impl Sampler {
    /// Watches the children of a container's first process.
    pub(super) fn new(init: Pid, limit: Option<u64>) -> Self {
        Self { init, limit, peak: 0, next: Instant::now() }
    }

    /// How long until the next sample is due.
    pub(super) fn pause(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Takes a sample when it is due. True when the limit is exceeded.
    pub(super) fn sample(&mut self) -> bool {
        let start = Instant::now();
        if start < self.next {
            return false;
        }
        let sum = tree_memory(self.init);
        self.peak = self.peak.max(sum);
        // Large processes take long to sum up, and are held up by it.
        self.next = start + SHORTEST.max(start.elapsed() * SHARE);
        self.limit.is_some_and(|limit| sum > limit)
    }

    /// The most that a sample has shown.
    pub(super) const fn peak(&self) -> u64 {
        self.peak
    }
}

/// The memory of all processes below one, in bytes. Processes that end meanwhile do not count.
fn tree_memory(root: Pid) -> u64 {
    let sizes = descendants::of(root).into_iter().filter_map(|process| {
        let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
        proportional_size(&rollup.ok()?)
    });
    sizes.sum()
}

/// The `Pss:` line of `smaps_rollup`, in bytes; see proc_pid_smaps(5).
fn proportional_size(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|size| size * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proportional_size_is_read() {
        let text =
            "55d0-7fff ---p 0 0:0 0 [rollup]\nRss: 900 kB\nPss:     512 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(proportional_size(text), Some(512 * 1024));
        assert_eq!(proportional_size(""), None);
    }
}
