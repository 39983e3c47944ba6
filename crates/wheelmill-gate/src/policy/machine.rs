//! The state machine.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::compile::{Compile, Running};
use super::{CellId, CompileId, Decision, Ended, Event, Failure, PolicySettings, Pressure, Wish};
use crate::learned::Learned;

/// How often a compile is stopped for others. After that it runs to its end, so that every build
/// gets on.
const MOST_STOPS: u32 = 3;
/// How often a compile is run again that was killed beside others.
const MOST_KILLS: u32 = 6;
/// After so many kills a compile gets its container for itself.
const ALONE_AFTER: u32 = 2;
/// A compile that does not fit is passed over so often for each processor, before others wait for it.
const PASSES_PER_CPU: u32 = 2;

/// What is shared: the machine by all, a container by the compiles of its cell.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    budget: Option<u64>,
    pressure: Pressure,
    /// When a compile was last stopped here.
    stopped_at: Option<Duration>,
}

/// What keeps a compile from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// Something that would keep others, too.
    Machine,
    /// Something in the container of its cell.
    Cell(CellId),
}

/// Decides which compile runs when.
///
/// Never more threads than processors, never more memory than the budget, as far as it is known;
/// but one compile always runs. Of those that wait the longest goes first, then the largest.
#[derive(Debug)]
pub struct Policy {
    settings: PolicySettings,
    learned: Learned,
    machine: Shared,
    cells: BTreeMap<CellId, Shared>,
    waiting: BTreeMap<CompileId, Compile>,
    running: BTreeMap<CompileId, Running>,
    /// How many compiles have ended.
    ended: u64,
}

impl Policy {
    /// A policy that knows what was learned before.
    #[must_use]
    pub fn new(settings: PolicySettings, learned: Learned) -> Self {
        Self {
            settings,
            learned,
            machine: Shared::default(),
            cells: BTreeMap::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            ended: 0,
        }
    }

    /// What is known about compiles, those of this run among them.
    #[must_use]
    pub const fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Learns from a compile that is over.
    pub fn learn(&mut self, record: &crate::CompileRecord) {
        self.learned.learn(record);
        for compile in self.waiting.values_mut().filter(|compile| compile.is_guessed()) {
            compile.estimate = self.learned.estimate(&compile.wish, &self.settings);
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many threads running compiles were granted.
    #[must_use]
    pub fn threads(&self) -> u32 {
        self.running.values().map(|running| u32::from(running.threads)).sum()
    }

    /// What the running compiles are charged, in bytes.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.charge(None)
    }

    /// What the running compiles hold, in bytes.
    #[must_use]
    pub fn measured(&self) -> u64 {
        self.held(None)
    }

    /// Takes note of an event, and decides what follows from it. `now` is the time since any fixed
    /// moment, and never goes back.
    pub fn handle(&mut self, now: Duration, event: Event) -> Vec<Decision> {
        let mut decisions = Vec::new();
        match event {
            Event::Asked { id, wish } => self.ask(id, wish, now),
            Event::Measured { id, memory } => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.measured = memory;
                    running.peak = running.peak.max(memory);
                }
            }
            Event::Stopped { id } => self.stopped(id, now),
            Event::Finished { id, ended } => decisions.extend(self.finished(id, ended, now)),
            Event::Gone { id } => {
                self.waiting.remove(&id);
                if self.running.remove(&id).is_some() {
                    self.ended += 1;
                }
            }
            Event::Machine { budget, pressure } => {
                self.machine = Shared { budget, pressure, ..self.machine };
            }
            Event::Cell { cell, budget, pressure } => {
                let shared = self.cells.entry(cell).or_default();
                *shared = Shared { budget, pressure, ..*shared };
            }
        }
        self.relieve(now, &mut decisions);
        self.admit(now, &mut decisions);
        decisions
    }

    fn ask(&mut self, id: CompileId, wish: Wish, now: Duration) {
        let estimate = self.learned.estimate(&wish, &self.settings);
        self.waiting.insert(id, Compile::new(wish, estimate, now));
    }

    fn stopped(&mut self, id: CompileId, now: Duration) {
        let Some(running) = self.running.remove(&id) else { return };
        let mut compile = running.compile;
        compile.stops += 1;
        compile.floor = compile.floor.max(running.peak.saturating_add(running.peak / 4));
        compile.after = Some(self.ended);
        compile.since = now;
        self.waiting.insert(id, compile);
    }

    fn finished(&mut self, id: CompileId, ended: Ended, now: Duration) -> Option<Decision> {
        let running = self.running.remove(&id)?;
        self.ended += 1;
        if ended.success || !ended.killed_for_memory {
            return Some(Decision::Done { id });
        }
        let peak = ended.peak.max(running.peak);
        let mut compile = running.compile;
        if !compile.wish.ask.repeatable {
            return Some(Decision::Fail { id, failure: Failure::NotRepeatable { peak } });
        }
        let threads_can_be_fewer = compile.wish.ask.fewer_threads && running.threads > 1;
        compile.kills += 1;
        let hopeless = !running.accompanied && !threads_can_be_fewer;
        if hopeless || compile.kills > MOST_KILLS {
            let budget = self.budget_of(compile.wish.cell);
            return Some(Decision::Fail { id, failure: Failure::TooLarge { peak, budget } });
        }
        compile.floor = compile.memory().max(peak).saturating_mul(2);
        if threads_can_be_fewer {
            compile.most_threads = 1;
        }
        compile.since = now;
        self.waiting.insert(id, compile);
        Some(Decision::Again { id })
    }

    /// The tighter of the limits that a cell's compiles have.
    fn budget_of(&self, cell: CellId) -> Option<u64> {
        let own = self.cells.get(&cell).and_then(|shared| shared.budget);
        own.into_iter().chain(self.machine.budget).min()
    }

    /// Stops the youngest compile where memory runs out in spite of all care.
    fn relieve(&mut self, now: Duration, decisions: &mut Vec<Decision>) {
        let places: Vec<Option<CellId>> =
            self.cells.keys().copied().map(Some).chain([None]).collect();
        for place in places {
            let shared = self.shared(place);
            let over = shared.budget.is_some_and(|budget| self.held(place) > budget);
            let settling =
                shared.stopped_at.is_some_and(|at| now.saturating_sub(at) < self.settings.settle);
            if settling || !(over || shared.pressure == Pressure::Stalled) {
                continue;
            }
            let here: Vec<(&CompileId, &Running)> =
                self.running_in(place).filter(|(_, running)| !running.stopping).collect();
            // The last one is never stopped.
            if here.len() < 2 {
                continue;
            }
            let youngest = here
                .into_iter()
                .filter(|(_, it)| it.compile.wish.ask.repeatable && it.compile.stops < MOST_STOPS)
                .max_by_key(|(id, running)| (running.compile.since, **id))
                .map(|(id, _)| *id);
            let Some(running) = youngest.and_then(|id| self.running.get_mut(&id)) else { continue };
            running.stopping = true;
            decisions.extend(youngest.map(|id| Decision::Stop { id }));
            match place {
                Some(cell) => self.cells.entry(cell).or_default().stopped_at = Some(now),
                None => self.machine.stopped_at = Some(now),
            }
        }
    }

    /// Starts what may start.
    fn admit(&mut self, now: Duration, decisions: &mut Vec<Decision>) {
        while let Some((id, threads)) = self.next(now) {
            let Some(mut compile) = self.waiting.remove(&id) else { return };
            compile.since = now;
            compile.passed_over = 0;
            compile.after = None;
            let cell = compile.wish.cell;
            let memory = compile.memory();
            // Where a cell has its own limit, what happens in others does not touch it.
            let own_limit = self.cells.get(&cell).is_some_and(|shared| shared.budget.is_some());
            let mut accompanied = false;
            for other in self.running.values_mut() {
                let other_cell = other.compile.wish.cell;
                let together = other_cell == cell;
                accompanied |= together || !own_limit;
                let limited = self.cells.get(&other_cell).is_some_and(|it| it.budget.is_some());
                other.accompanied |= together || !limited;
            }
            let running =
                Running { compile, threads, measured: 0, peak: 0, accompanied, stopping: false };
            self.running.insert(id, running);
            decisions.push(Decision::Start { id, threads, memory });
        }
    }

    /// The next compile that may start, and with how many threads.
    fn next(&mut self, now: Duration) -> Option<(CompileId, u16)> {
        let free = u32::from(self.settings.cpus).saturating_sub(self.threads());
        if free == 0 && !self.running.is_empty() {
            return None;
        }
        let free = u16::try_from(free).unwrap_or(u16::MAX).max(1);
        let mut order: Vec<CompileId> = self.waiting.keys().copied().collect();
        order.sort_by_key(|id| self.rank(*id, now));
        let most_passes = PASSES_PER_CPU.saturating_mul(u32::from(self.settings.cpus));
        let mut passed: Vec<(CompileId, Obstacle)> = Vec::new();
        let mut closed = Vec::new();
        for id in order {
            let compile = self.waiting.get(&id)?;
            let cell = compile.wish.cell;
            if closed.contains(&cell) {
                continue;
            }
            let Some(obstacle) = self.obstacle(compile) else {
                let threads = compile.most_threads.clamp(1, free);
                for (passed, obstacle) in passed {
                    if obstacle == Obstacle::Machine || obstacle == Obstacle::Cell(cell) {
                        let compile = self.waiting.get_mut(&passed);
                        compile.into_iter().for_each(|compile| compile.passed_over += 1);
                    }
                }
                return Some((id, threads));
            };
            if compile.passed_over >= most_passes {
                // Others wait for it now, until enough has ended.
                match obstacle {
                    Obstacle::Machine => return None,
                    Obstacle::Cell(cell) => closed.push(cell),
                }
            }
            passed.push((id, obstacle));
        }
        None
    }

    /// Smallest first: what has waited too long, in order; then the longest, the largest, the first.
    fn rank(&self, id: CompileId, now: Duration) -> impl Ord + use<> {
        let compile = self.waiting.get(&id);
        let overdue = compile
            .filter(|compile| now.saturating_sub(compile.since) > self.settings.patience)
            .map(|compile| compile.since);
        let wall = compile.map_or(Duration::ZERO, |compile| compile.estimate.wall);
        let memory = compile.map_or(0, Compile::memory);
        (overdue.is_none(), overdue, Reverse(wall), Reverse(memory), id)
    }

    /// What keeps a compile from starting.
    fn obstacle(&self, compile: &Compile) -> Option<Obstacle> {
        if self.running.is_empty() {
            return None;
        }
        let room = |place: Option<CellId>| {
            let shared = self.shared(place);
            let calm = shared.pressure == Pressure::Calm;
            let charge = self.charge(place).saturating_add(compile.memory());
            calm && shared.budget.is_none_or(|budget| charge <= budget)
        };
        if !room(None) {
            return Some(Obstacle::Machine);
        }
        let cell = compile.wish.cell;
        // The first of a cell starts in its container whatever its size.
        let first = self.running_in(Some(cell)).next().is_none();
        let waits = compile.after.is_some_and(|after| self.ended <= after);
        let alone = compile.kills >= ALONE_AFTER;
        let free = !waits && (first || (!alone && room(Some(cell))));
        (!free).then_some(Obstacle::Cell(cell))
    }

    fn shared(&self, place: Option<CellId>) -> Shared {
        place.map_or(self.machine, |cell| self.cells.get(&cell).copied().unwrap_or_default())
    }

    fn running_in(&self, place: Option<CellId>) -> impl Iterator<Item = (&CompileId, &Running)> {
        let here =
            move |running: &Running| place.is_none_or(|cell| running.compile.wish.cell == cell);
        self.running.iter().filter(move |(_, running)| here(running))
    }

    fn charge(&self, place: Option<CellId>) -> u64 {
        self.running_in(place).fold(0, |sum, (_, it)| sum.saturating_add(it.charge()))
    }

    fn held(&self, place: Option<CellId>) -> u64 {
        self.running_in(place).fold(0, |sum, (_, it)| sum.saturating_add(it.measured))
    }
}
