//! The cells of a run at work, as many at a time as keep the machine busy, each in a thread of its
//! own.

use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use wheelmill_model::{ByteSize, Phase};

use super::compile::free_memory;
use super::gate::Room;
use super::schedule::{AtWork, Schedule};
use crate::cancellation::Cancellation;
use crate::error::MillError;
use crate::event::{CellResult, Event, Reporter};

/// How often is looked whether there is room for another cell.
const LOOK: Duration = Duration::from_millis(500);

/// As large as that of a program's first thread: wheels are read in it, which nest as they like.
const STACK: usize = 8 << 20;

/// A cell of the plan.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// Its place in the plan.
    pub(super) place: usize,
    /// Its identifier.
    pub(super) cell: String,
    /// Whether there is anything to do.
    pub(super) wanted: bool,
    /// Whether it wants the machine for itself.
    pub(super) alone: bool,
}

/// Where cells are worked on.
pub(super) trait Site: Sync {
    /// Works at a cell, to its end. `free` is the memory that could be had when no other one was
    /// worked on.
    fn work(
        &self,
        task: &Task,
        reporter: &dyn Reporter,
        free: Option<ByteSize>,
    ) -> Result<CellResult, MillError>;

    /// The result of a cell that nothing is done for.
    fn leave(&self, task: &Task) -> Result<CellResult, MillError>;

    /// What the machine has left, where somebody knows that.
    fn room(&self) -> Option<Room>;
}

/// Lets the cells of a run be worked on.
pub(super) struct Runner<'a> {
    pub(super) site: &'a dyn Site,
    pub(super) reporter: &'a dyn Reporter,
    pub(super) cancel: &'a Cancellation,
    pub(super) schedule: Schedule,
}

/// Why the whole run breaks off.
enum Broken {
    Error(MillError),
    Panic(Box<dyn Any + Send>),
}

/// A cell that has ended, and what came of it.
struct Ended {
    task: Task,
    came: Result<CellResult, Broken>,
}

/// Passes events on, and knows by them which cells do not compile yet.
struct Watch<'a> {
    reporter: &'a dyn Reporter,
    preparing: Mutex<HashSet<String>>,
}

impl Watch<'_> {
    fn preparing(&self) -> MutexGuard<'_, HashSet<String>> {
        self.preparing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for Watch<'_> {
    fn report(&self, event: &Event) {
        if let Event::PhaseStarted { cell, phase } = event
            && !matches!(phase, Phase::Preflight | Phase::Fetch | Phase::Environment)
        {
            self.preparing().remove(cell);
        }
        self.reporter.report(event);
    }
}

/// How far a run is.
struct Standing {
    waiting: VecDeque<Task>,
    /// By their places in the plan.
    results: Vec<Option<CellResult>>,
    at_work: usize,
    alone: bool,
    /// The memory that could be had when nothing was at work.
    free: Option<ByteSize>,
    broken: Option<Broken>,
}

impl Runner<'_> {
    /// Works until every cell has a result; they come in the order of the plan. Cells that fail do
    /// not stop the others.
    ///
    /// # Errors
    /// What stops the whole run; then all of it has stopped.
    ///
    /// # Panics
    /// Where the work at a cell did, when all of it has stopped.
    pub(super) fn run(mut self, tasks: Vec<Task>) -> Result<Vec<CellResult>, MillError> {
        let mut standing = Standing {
            results: vec![None; tasks.len()],
            waiting: tasks.into(),
            at_work: 0,
            alone: false,
            free: None,
            broken: None,
        };
        let watch = Watch { reporter: self.reporter, preparing: Mutex::default() };
        let (say, heard) = channel();
        thread::scope(|scope| {
            loop {
                while self.go_on(&mut standing, &watch, scope, &say) {}
                if standing.at_work == 0 {
                    break;
                }
                if let Some(ended) = next(&heard, standing.waiting.is_empty()) {
                    self.end(&mut standing, &watch, ended);
                }
            }
        });
        match standing.broken {
            None => Ok(standing.results.into_iter().flatten().collect()),
            Some(Broken::Error(error)) => Err(error),
            Some(Broken::Panic(panic)) => resume_unwind(panic),
        }
    }

    /// Does what is to be done about the next cell of the plan, if that can be done now.
    fn go_on<'scope>(
        &mut self,
        standing: &mut Standing,
        watch: &'scope Watch<'_>,
        scope: &'scope Scope<'scope, '_>,
        say: &Sender<Ended>,
    ) -> bool
    where
        Self: 'scope,
    {
        if standing.broken.is_some() {
            return false;
        }
        let Some(task) = standing.waiting.front() else { return false };
        let begins = task.wanted && !self.cancel.is_cancelled();
        if begins && !self.begins(task.alone, standing, watch) {
            return false;
        }
        let Some(task) = standing.waiting.pop_front() else { return false };
        if !begins {
            match self.site.leave(&task) {
                Ok(result) => self.keep(standing, &task, result),
                Err(error) => self.break_off(standing, Broken::Error(error)),
            }
            return true;
        }
        if standing.at_work == 0 {
            standing.free = free_memory();
        }
        standing.at_work += 1;
        standing.alone = task.alone;
        watch.preparing().insert(task.cell.clone());
        let (site, free, say, cell) = (self.site, standing.free, say.clone(), task.cell.clone());
        let thread = thread::Builder::new().name(cell.clone()).stack_size(STACK);
        let begun = thread.spawn_scoped(scope, move || {
            let work = AssertUnwindSafe(|| site.work(&task, watch, free));
            let came = match catch_unwind(work) {
                Ok(came) => came.map_err(Broken::Error),
                Err(panic) => Err(Broken::Panic(panic)),
            };
            // Whoever listens does so until all have ended.
            drop(say.send(Ended { task, came }));
        });
        if let Err(source) = begun {
            standing.at_work -= 1;
            self.break_off(standing, Broken::Error(MillError::Thread { cell, source }));
        }
        true
    }

    fn begins(&mut self, alone: bool, standing: &Standing, watch: &Watch<'_>) -> bool {
        let preparing = watch.preparing().len();
        let at_work = AtWork { cells: standing.at_work, preparing, alone: standing.alone };
        self.schedule.begins(alone, at_work, || self.site.room(), Instant::now())
    }

    fn end(&self, standing: &mut Standing, watch: &Watch<'_>, Ended { task, came }: Ended) {
        standing.at_work -= 1;
        standing.alone = false;
        watch.preparing().remove(&task.cell);
        match came {
            Ok(result) => self.keep(standing, &task, result),
            Err(broken) => self.break_off(standing, broken),
        }
    }

    fn keep(&self, standing: &mut Standing, task: &Task, result: CellResult) {
        self.reporter.report(&Event::CellFinished(Box::new(result.clone())));
        standing.results[task.place] = Some(result);
    }

    /// Stops everything. The first reason is the one that counts: others may follow from it.
    fn break_off(&self, standing: &mut Standing, broken: Broken) {
        standing.broken.get_or_insert(broken);
        self.cancel.flag().cancel();
    }
}

/// Waits for the end of a cell; for a while only, where others wait for room.
fn next(heard: &Receiver<Ended>, all_have_begun: bool) -> Option<Ended> {
    if all_have_begun { heard.recv().ok() } else { heard.recv_timeout(LOOK).ok() }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Condvar};

    use wheelmill_store::CancelledBy;

    use super::*;
    use crate::event::CellOutcome;

    const IDLE: Option<Room> = Some(Room { nobody_waits: true, busy: 0, memory: true });

    type Work<'a> = dyn Fn(&str) -> Result<CellOutcome, MillError> + Sync + 'a;

    /// Where cells do what a test says.
    struct Fake<'a> {
        work: &'a Work<'a>,
        room: Option<Room>,
        /// How many are at work, and how many were at most.
        at_work: Mutex<(usize, usize)>,
        /// What each was told of the memory.
        free: Mutex<Vec<Option<ByteSize>>>,
    }

    impl<'a> Fake<'a> {
        fn new(room: Option<Room>, work: &'a Work<'a>) -> Self {
            Self { work, room, at_work: Mutex::default(), free: Mutex::default() }
        }

        /// The outcomes, or what broke the run; and how many were at work at a time.
        fn run(
            &self,
            tasks: Vec<Task>,
            cancel: &Cancellation,
        ) -> (Result<Vec<String>, MillError>, usize) {
            let told = Mutex::new(Vec::new());
            let reporter = |event: &Event| {
                if let Event::CellFinished(result) = event {
                    told.lock().unwrap().push(result.cell.clone());
                }
            };
            let schedule = Schedule::new(tasks.len(), 2);
            let runner = Runner { site: self, reporter: &reporter, cancel, schedule };
            let results = runner.run(tasks).map(|results| {
                let words = results.iter().map(|it| format!("{} {}", it.cell, it.outcome.as_str()));
                let words: Vec<String> = words.collect();
                assert_eq!(told.lock().unwrap().len(), words.len());
                words
            });
            (results, self.at_work.lock().unwrap().1)
        }
    }

    fn result(cell: &str, outcome: CellOutcome) -> CellResult {
        CellResult::new(cell.to_owned(), outcome)
    }

    impl Site for Fake<'_> {
        fn work(
            &self,
            task: &Task,
            reporter: &dyn Reporter,
            free: Option<ByteSize>,
        ) -> Result<CellResult, MillError> {
            self.free.lock().unwrap().push(free);
            let (cell, phase) = (task.cell.clone(), Phase::Compile);
            reporter.report(&Event::PhaseStarted { cell, phase });
            {
                let (now, most) = &mut *self.at_work.lock().unwrap();
                *now += 1;
                *most = (*most).max(*now);
            }
            let came = (self.work)(&task.cell);
            self.at_work.lock().unwrap().0 -= 1;
            came.map(|outcome| result(&task.cell, outcome))
        }

        fn leave(&self, task: &Task) -> Result<CellResult, MillError> {
            let outcome = if task.wanted { CellOutcome::Cancelled } else { CellOutcome::Stored };
            Ok(result(&task.cell, outcome))
        }

        fn room(&self) -> Option<Room> {
            self.room
        }
    }

    fn tasks(cells: &[&str]) -> Vec<Task> {
        let task = |(place, &cell): (usize, &&str)| {
            let (wanted, alone) = (!cell.starts_with("stored"), cell.starts_with("image"));
            Task { place, cell: cell.to_owned(), wanted, alone }
        };
        cells.iter().enumerate().map(task).collect()
    }

    /// Opens once, for all who wait.
    #[derive(Default)]
    struct Door(Mutex<bool>, Condvar);

    impl Door {
        fn open(&self) {
            *self.0.lock().unwrap() = true;
            self.1.notify_all();
        }

        fn wait(&self) {
            drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap());
        }
    }

    #[test]
    fn cells_overlap_and_their_results_keep_the_order_of_the_plan() {
        // Each waits until the other is there, and the first until the second has ended.
        let (meet, second) = (Barrier::new(2), Door::default());
        let work = |cell: &str| {
            meet.wait();
            if cell == "b" {
                second.open();
                return Ok(CellOutcome::Failed);
            }
            second.wait();
            Ok(CellOutcome::Built)
        };
        let fake = Fake::new(IDLE, &work);
        let (results, most) = fake.run(tasks(&["stored", "a", "b"]), &Cancellation::new());
        assert_eq!(results.unwrap(), ["stored stored", "a built", "b failed"]);
        assert_eq!(most, 2);
        // The second is not given less because the first is at work.
        let free = fake.free.lock().unwrap();
        assert!(free.len() == 2 && free[0].is_some() && free[0] == free[1], "{free:?}");
    }

    #[test]
    fn one_follows_the_other_without_a_gate_and_where_one_wants_the_machine() {
        let work = |_: &str| Ok(CellOutcome::Built);
        let (results, most) =
            Fake::new(None, &work).run(tasks(&["a", "b", "c"]), &Cancellation::new());
        assert_eq!((results.unwrap().len(), most), (3, 1));
        let (results, most) =
            Fake::new(IDLE, &work).run(tasks(&["a", "image", "b"]), &Cancellation::new());
        assert_eq!((results.unwrap().len(), most), (3, 1));
    }

    #[test]
    fn a_run_that_is_cancelled_begins_nothing_more() {
        let cancel = Cancellation::new();
        let work = |_: &str| {
            cancel.cancel(CancelledBy::Interrupt);
            Ok(CellOutcome::Cancelled)
        };
        let (results, most) = Fake::new(IDLE, &work).run(tasks(&["a", "stored", "b"]), &cancel);
        assert_eq!(results.unwrap(), ["a cancelled", "stored stored", "b cancelled"]);
        assert_eq!(most, 1);
    }

    #[test]
    fn what_breaks_one_cell_for_all_stops_the_others_and_is_told() {
        let (cancel, meet) = (Cancellation::new(), Barrier::new(2));
        let work = |cell: &str| {
            meet.wait();
            if cell == "b" {
                return Err(MillError::NothingWished);
            }
            while !cancel.is_cancelled() {
                thread::yield_now();
            }
            Ok(CellOutcome::Cancelled)
        };
        let (results, _) = Fake::new(IDLE, &work).run(tasks(&["a", "b", "c"]), &cancel);
        assert!(matches!(results, Err(MillError::NothingWished)), "{results:?}");
        assert_eq!(cancel.by(), None, "the user did not do it");
    }

    #[test]
    fn a_panic_is_passed_on_when_the_others_have_stopped() {
        let (cancel, meet, stopped) = (Cancellation::new(), Barrier::new(2), Mutex::new(false));
        let work = |cell: &str| {
            meet.wait();
            assert_ne!(cell, "b", "a bug");
            while !cancel.is_cancelled() {
                thread::yield_now();
            }
            *stopped.lock().unwrap() = true;
            Ok(CellOutcome::Cancelled)
        };
        let fake = Fake::new(IDLE, &work);
        let run = AssertUnwindSafe(|| fake.run(tasks(&["a", "b"]), &cancel));
        assert!(catch_unwind(run).is_err());
        assert!(*stopped.lock().unwrap());
    }
}
