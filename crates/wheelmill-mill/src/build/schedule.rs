//! When the next cell of a run begins.
//!
//! The gate divides processors and memory among all compilers, so that another cell never makes the
//! machine too full. It is worth its room as soon as those at work leave processors idle: while they
//! fetch, configure, link, or wait for the last of their compiles.

use std::time::{Duration, Instant};

use super::gate::Room;

/// For how long processors must have been free.
const MOMENT: Duration = Duration::from_millis(1500);

/// How many cells may fetch or make environments at a time: one that does leaves the processors
/// idle, and the network and the disk are not faster for three than for two.
const MOST_PREPARING: usize = 2;

/// What is at work.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AtWork {
    /// Cells.
    pub(super) cells: usize,
    /// Those of them that do not compile yet.
    pub(super) preparing: usize,
    /// Whether one of them wants the machine for itself.
    pub(super) alone: bool,
}

/// Decides, and remembers since when there has been room.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The most cells at a time.
    most: usize,
    processors: usize,
    free_since: Option<Instant>,
}

impl Schedule {
    pub(super) const fn new(most: usize, processors: usize) -> Self {
        Self { most, processors, free_since: None }
    }

    /// Whether the next cell begins now. `alone`: it wants the machine for itself. `room`: asks what
    /// the machine has left, where somebody knows that.
    pub(super) fn begins(
        &mut self,
        alone: bool,
        at_work: AtWork,
        room: impl FnOnce() -> Option<Room>,
        now: Instant,
    ) -> bool {
        if at_work.cells == 0 {
            self.free_since = None;
            return true;
        }
        let is_free = |room: Room| room.nobody_waits && room.memory && room.busy < self.processors;
        if alone || at_work.alone || !room().is_some_and(is_free) {
            self.free_since = None;
            return false;
        }
        let since = *self.free_since.get_or_insert(now);
        let begins = now.saturating_duration_since(since) >= MOMENT
            && at_work.cells < self.most
            && at_work.preparing < MOST_PREPARING;
        if begins {
            self.free_since = None;
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Option<Room> = Some(Room { nobody_waits: true, busy: 0, memory: true });
    const ONE: AtWork = AtWork { cells: 1, preparing: 0, alone: false };

    /// When a schedule lets the next cell begin, of so many looks half a second apart.
    fn first(schedule: &mut Schedule, looks: usize, look: impl Fn(usize) -> Look) -> Option<usize> {
        let begin = Instant::now();
        (0..looks).find(|&index| {
            let Look { alone, at_work, room } = look(index);
            let now = begin + Duration::from_millis(500) * u32::try_from(index).unwrap();
            schedule.begins(alone, at_work, || room, now)
        })
    }

    struct Look {
        alone: bool,
        at_work: AtWork,
        room: Option<Room>,
    }

    impl Look {
        fn of(at_work: AtWork, room: Option<Room>) -> Self {
            Self { alone: false, at_work, room }
        }
    }

    #[test]
    fn the_first_begins_at_once_whatever_the_machine_says() {
        let mut schedule = Schedule::new(1, 2);
        assert!(schedule.begins(true, AtWork::default(), || None, Instant::now()));
    }

    #[test]
    fn the_next_begins_when_processors_were_free_for_a_moment() {
        assert_eq!(first(&mut Schedule::new(4, 2), 9, |_| Look::of(ONE, IDLE)), Some(3));
        // A compiler in between starts the moment anew.
        let busy = Room { nobody_waits: true, busy: 2, memory: true };
        let room = |index| if index == 2 { Some(busy) } else { IDLE };
        let begins = first(&mut Schedule::new(4, 2), 9, |index| Look::of(ONE, room(index)));
        assert_eq!(begins, Some(6));
    }

    #[test]
    fn each_further_one_waits_for_a_moment_of_its_own() {
        let mut schedule = Schedule::new(8, 2);
        assert_eq!(first(&mut schedule, 9, |_| Look::of(ONE, IDLE)), Some(3));
        let two = AtWork { cells: 2, ..ONE };
        assert_eq!(first(&mut schedule, 9, |_| Look::of(two, IDLE)), Some(3));
    }

    #[test]
    fn none_begins_while_compilers_keep_the_machine_busy() {
        for room in [
            Room { nobody_waits: true, busy: 2, memory: true },
            Room { nobody_waits: false, busy: 1, memory: true },
            Room { nobody_waits: true, busy: 1, memory: false },
        ] {
            let look = |_| Look::of(ONE, Some(room));
            assert_eq!(first(&mut Schedule::new(4, 2), 9, look), None, "{room:?}");
        }
    }

    #[test]
    fn one_after_the_other_where_the_user_wants_it_or_no_gate_is() {
        assert_eq!(first(&mut Schedule::new(1, 2), 9, |_| Look::of(ONE, IDLE)), None);
        assert_eq!(first(&mut Schedule::new(4, 2), 9, |_| Look::of(ONE, None)), None);
    }

    #[test]
    fn the_next_takes_the_place_of_one_that_ends_at_once_where_processors_were_free() {
        let at_work = |index| AtWork { cells: if index < 7 { 2 } else { 1 }, ..ONE };
        let look = |index| Look::of(at_work(index), IDLE);
        assert_eq!(first(&mut Schedule::new(2, 2), 9, look), Some(7));
    }

    #[test]
    fn only_some_prepare_at_a_time() {
        let at_work = |preparing| AtWork { cells: 2, preparing, alone: false };
        let begins =
            |preparing| first(&mut Schedule::new(9, 8), 9, |_| Look::of(at_work(preparing), IDLE));
        assert_eq!((begins(1), begins(2)), (Some(3), None));
    }

    #[test]
    fn who_wants_the_machine_for_itself_has_it() {
        let next = |_| Look { alone: true, at_work: ONE, room: IDLE };
        assert_eq!(first(&mut Schedule::new(4, 2), 9, next), None);
        let beside = |_| Look::of(AtWork { alone: true, ..ONE }, IDLE);
        assert_eq!(first(&mut Schedule::new(4, 2), 9, beside), None);
    }
}
