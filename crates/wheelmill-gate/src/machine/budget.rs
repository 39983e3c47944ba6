//! How much memory compiles may have.

use std::fs;

use super::cgroup::Cgroup;

/// What is left to everything else on the machine.
const RESERVE: u64 = 512 << 20;
/// Of a limit this part is left for the files that compilers read, themselves among them: without
/// it they would be dropped and read again and again, and everything would crawl.
const CACHE_PART: u64 = 10;
const LEAST_CACHE: u64 = 64 << 20;
const MOST_CACHE: u64 = 1 << 30;

/// A limit without the room that files need.
pub(crate) fn without_cache(limit: u64) -> u64 {
    limit.saturating_sub((limit / CACHE_PART).clamp(LEAST_CACHE.min(limit / 2), MOST_CACHE))
}

/// A control group with a limit, as a share of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    group: Cgroup,
    limit: u64,
}

impl Share {
    /// The tightest limit that holds for a group. None when there is none.
    pub(crate) fn of(group: &Cgroup) -> Option<Self> {
        group.tightest().map(|(group, limit)| Self { group, limit })
    }

    /// The limit that holds for this process.
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::of(&Cgroup::of("self")?)
    }

    /// What compiles in it may hold, of which they hold `measured` already: the rest of what is held
    /// there belongs to others, such as the build system.
    pub(crate) fn budget(&self, measured: u64) -> u64 {
        let others = self.group.held().unwrap_or(measured).saturating_sub(measured);
        without_cache(self.limit).saturating_sub(others)
    }

    pub(crate) const fn group(&self) -> &Cgroup {
        &self.group
    }
}

/// What all compiles of the machine may hold, of which they hold `measured` already: the smallest of
/// the user's limit, that of this program's own group, and what is available.
pub(crate) fn budget(user: Option<u64>, own: Option<&Share>, measured: u64) -> Option<u64> {
    let machine = available_memory().map(|available| within_machine(available, measured));
    let user = user.map(without_cache);
    let own = own.map(|share| share.budget(measured));
    [machine, user, own].into_iter().flatten().min()
}

fn within_machine(available: u64, measured: u64) -> u64 {
    // A small machine has little to reserve.
    let reserve = RESERVE.min(available / 4);
    measured.saturating_add(available).saturating_sub(reserve)
}

/// What could be had without swapping, in bytes.
fn available_memory() -> Option<u64> {
    memory_field("MemAvailable:")
}

/// All memory of the machine, in bytes.
pub(crate) fn total_memory() -> Option<u64> {
    memory_field("MemTotal:")
}

fn memory_field(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|size| size.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn room_for_files_is_left() {
        assert_eq!(without_cache(10 * GIB), 9 * GIB);
        assert_eq!(without_cache(100 * GIB), 99 * GIB);
        assert_eq!(without_cache(256 << 20), 192 << 20);
        assert_eq!(without_cache(64 << 20), 32 << 20);
        assert_eq!(without_cache(0), 0);
    }

    #[test]
    fn the_smallest_counts() {
        assert_eq!(budget(Some(64 << 20), None, 0), Some(32 << 20));
        let all = budget(None, None, 0).unwrap();
        assert!(all < total_memory().unwrap());
        // What compiles hold is available to them.
        assert_eq!(within_machine(GIB, 3 * GIB), 4 * GIB - (256 << 20));
    }
}
