//! Turns at what several threads of this process want fetched once.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wheelmill_engine::Cancel;
use wheelmill_model::Digest;

/// How often somebody who waits looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// What is fetched at this moment, by its digest.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<Digest>>,
    given_back: Condvar,
}

/// Keeps others from the same thing until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    what: Digest,
}

impl Turns {
    /// Takes the turn at something, after whoever has it; none when it is no longer wanted.
    pub(super) fn take(&self, what: Digest, cancel: &Cancel) -> Option<Turn<'_>> {
        let mut taken = self.lock();
        while !taken.insert(what) {
            if cancel.is_cancelled() {
                return None;
            }
            let waited = self.given_back.wait_timeout(taken, LOOK);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(Turn { turns: self, what })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.what);
        self.turns.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn one_at_a_time_is_at_one_thing_and_nobody_waits_for_another() {
        let (turns, cancel) = (Turns::default(), Cancel::new());
        let [one, other] = ["one", "other"].map(|text| Digest::of(text.as_bytes()));
        let busy = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let turn = turns.take(one, &cancel).unwrap();
                        assert!(!busy.swap(true, Ordering::SeqCst), "two are at it");
                        assert!(turns.take(other, &Cancel::new()).is_some());
                        busy.store(false, Ordering::SeqCst);
                        drop(turn);
                    }
                });
            }
        });
    }

    #[test]
    fn who_waits_can_be_stopped() {
        let (turns, cancel) = (Turns::default(), Cancel::new());
        let what = Digest::of(b"one");
        let _first = turns.take(what, &cancel).unwrap();
        cancel.cancel();
        assert!(turns.take(what, &cancel).is_none());
    }
}
