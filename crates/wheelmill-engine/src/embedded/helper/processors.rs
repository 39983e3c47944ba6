//! Fewer processors where no control group can be made: a container is kept to some of them.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Keeps a process, and all that it starts later, to as many processors as the fraction takes.
/// Containers of different helpers are kept to different ones, as far as there are enough.
pub(super) fn keep_to(process: Pid, cpus: f64) -> nix::Result<()> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let processors: Vec<usize> = (0..CpuSet::count())
        .filter(|processor| allowed.is_set(*processor).unwrap_or(false))
        .collect();
    let first = usize::try_from(process.as_raw()).unwrap_or(0);
    let mut kept = CpuSet::new();
    for processor in choose(&processors, first, cpus) {
        kept.set(processor)?;
    }
    match sched_setaffinity(process, &kept) {
        // The processors were taken from us meanwhile; the limit is not worth failing for.
        Err(Errno::EINVAL) => Ok(()),
        result => result,
    }
}

/// Some of the processors, in a row that begins anywhere.
fn choose(processors: &[usize], first: usize, cpus: f64) -> Vec<usize> {
    let wanted = (cpus.ceil().max(1.0) as usize).min(processors.len());
    (0..wanted).map(|index| processors[(first + index) % processors.len()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_processors_as_wanted_but_no_more_than_there_are() {
        assert_eq!(choose(&[2, 3, 5], 4, 1.5), [3, 5]);
        assert_eq!(choose(&[2, 3, 5], 5, 2.0), [5, 2]);
        assert_eq!(choose(&[2, 3], 0, 0.1), [2]);
        assert_eq!(choose(&[2, 3], 1, 64.0), [3, 2]);
    }
}
