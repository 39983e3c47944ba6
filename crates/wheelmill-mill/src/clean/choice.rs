//! Which things a budget lets go: those that were used longest ago; of those of about one age the
//! cheapest to have again.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use super::item::Cost;

/// Things of one day are of about one age.
const ABOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// What the choice looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// In bytes.
    pub(super) size: u64,
    /// None counts as long ago.
    pub(super) last_used: Option<SystemTime>,
    pub(super) cost: Cost,
    /// Whether it may go.
    pub(super) free: bool,
    /// What it stands on, and keeps on the disk.
    pub(super) below: Option<usize>,
}

/// The things to remove, in this order, until all others together take no more than the budget.
/// What is worth nothing always goes; with a budget of zero everything does that may.
pub(super) fn choose(all: &[Candidate], budget: u64, now: SystemTime) -> Vec<usize> {
    let used = last_uses(all);
    let age = |index: usize| match used[index] {
        Some(used) => now.duration_since(used).unwrap_or_default().as_secs() / ABOUT.as_secs(),
        None => u64::MAX,
    };
    let mut order: Vec<usize> = (0..all.len()).filter(|&index| all[index].free).collect();
    order.sort_by_key(|&index| {
        let worthless = all[index].cost == Cost::Nothing;
        (!worthless, Reverse(age(index)), all[index].cost, used[index])
    });
    let mut rest: u64 = all.iter().map(|candidate| candidate.size).sum();
    let mut chosen = Vec::new();
    // Once more from the start after each: it may have stood on one that came before.
    while let Some(place) = order.iter().position(|&index| {
        let wanted = rest > budget || budget == 0 || all[index].cost == Cost::Nothing;
        let stands = |other: usize| all[other].below == Some(index) && !chosen.contains(&other);
        wanted && !(0..all.len()).any(stands)
    }) {
        let index = order.remove(place);
        rest = rest.saturating_sub(all[index].size);
        chosen.push(index);
    }
    chosen
}

/// When each was last used, by itself or by what stands on it.
fn last_uses(all: &[Candidate]) -> Vec<Option<SystemTime>> {
    let mut used: Vec<_> = all.iter().map(|candidate| candidate.last_used).collect();
    for candidate in all {
        let mut below = candidate.below;
        // No more steps than there are things, whatever somebody says stands on what.
        for _ in 0..all.len() {
            let Some(index) = below else { break };
            used[index] = used[index].max(candidate.last_used);
            below = all[index].below;
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1000 * DAY)
    }

    /// A thing of a size that was last used so many days ago.
    fn used(size: u64, days: u64, cost: Cost) -> Candidate {
        let last_used = Some(now() - Duration::from_secs(days * DAY));
        Candidate { size, last_used, cost, free: true, below: None }
    }

    #[test]
    fn the_oldest_goes_first_and_no_more_than_must() {
        let all = [
            used(10, 1, Cost::Making),
            used(10, 90, Cost::Making),
            used(10, 30, Cost::Download),
            used(10, 60, Cost::Making),
        ];
        assert_eq!(choose(&all, 40, now()), [0; 0]);
        assert_eq!(choose(&all, 39, now()), [1]);
        assert_eq!(choose(&all, 15, now()), [1, 3, 2]);
    }

    #[test]
    fn of_one_age_the_cheapest_goes_first() {
        let hour = Duration::from_secs(60 * 60);
        let mut all =
            [used(10, 5, Cost::Making), used(10, 5, Cost::Download), used(10, 5, Cost::Making)];
        for (candidate, hours) in all.iter_mut().zip([3, 1, 5]) {
            candidate.last_used = Some(now() - Duration::from_secs(5 * DAY) - hour * hours);
        }
        assert_eq!(choose(&all, 0, now()), [1, 2, 0]);
    }

    #[test]
    fn what_is_used_stays_and_counts() {
        let all = [
            Candidate { free: false, ..used(30, 90, Cost::Download) },
            used(10, 1, Cost::Making),
            used(10, 2, Cost::Making),
        ];
        assert_eq!(choose(&all, 40, now()), [2]);
        assert_eq!(choose(&all, 20, now()), [2, 1]);
    }

    #[test]
    fn leftovers_always_go_and_empty_things_when_all_do() {
        let all = [used(10, 0, Cost::Nothing), used(0, 1, Cost::Making), used(5, 9, Cost::Making)];
        assert_eq!(choose(&all, 1000, now()), [0]);
        assert_eq!(choose(&all, 0, now()), [0, 2, 1]);
    }

    #[test]
    fn what_others_stand_on_goes_after_them() {
        // A base that was used long ago by itself, and yesterday by the image on it.
        let all = [
            used(10, 90, Cost::Download),
            Candidate { below: Some(0), ..used(10, 1, Cost::Making) },
            used(10, 30, Cost::Making),
        ];
        assert_eq!(choose(&all, 20, now()), [2]);
        assert_eq!(choose(&all, 0, now()), [2, 1, 0]);
        let held = [all[0], Candidate { free: false, ..all[1] }, all[2]];
        assert_eq!(choose(&held, 0, now()), [2], "nothing is gained below what stays");
    }
}
