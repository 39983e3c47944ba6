//! A run: the wanted cells of a plan, each on its way to a wheel in the store.

mod attempt;
mod cache_probe;
mod compile;
pub(crate) mod compile_cache;
mod context;
mod course;
mod failure;
mod finish;
mod folder;
mod gate;
pub(crate) mod gpus;
mod image;
mod job;
mod judge;
mod listener;
mod log;
mod ninja;
mod progress;
mod resume;
mod runner;
mod schedule;
mod shell;
mod source;
mod trial;
mod verify;
mod work;
mod workshop;

use std::num::NonZeroU32;
use std::time::Instant;

use wheelmill_model::{CheckState, RunId};
use wheelmill_store::{NewRun, Owner, RunOutcome, Store};

use crate::cache_use;
use crate::cancellation::Cancellation;
use crate::error::MillError;
use crate::event::{CellOutcome, CellResult, Event, Reporter};
use crate::fetch::{Client, Index};
use crate::mill::Mill;
use crate::plan::{CellKind, CellState, Plan, RecipeCell};
use crate::preflight::Check;
pub use compile_cache::CacheCount;
pub use gate::dearest;
pub use shell::{Shell, ShellError, ShellPlace};

use context::AttemptContext;
use gate::{Gate, Known, without_gate};
use runner::Runner;
use schedule::Schedule;
use work::Pinned;
use workshop::{Workshop, settled, tasks};

/// So many cells can be at work on any machine: one of them waits for the network often enough.
const LEAST_CELLS: usize = 2;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// The run, when the history has one: without anything to build there is none.
    pub run: Option<RunId>,
    /// Every cell of the plan, in its order.
    pub cells: Vec<CellResult>,
    /// From start to end.
    pub wall: std::time::Duration,
    /// Whether the user stopped it.
    pub cancelled: bool,
}

impl Mill {
    /// Builds what a plan wants: at most so many cells at a time, and no more than keep the processors
    /// busy. Cells that fail do not stop the others.
    ///
    /// # Errors
    /// The machine is not ready, a package or a version does not exist, or the store cannot be
    /// used. Failures of single cells are in the result.
    pub fn build(
        &self,
        plan: &Plan,
        most: Option<NonZeroU32>,
        reporter: &dyn Reporter,
        cancel: &Cancellation,
    ) -> Result<RunResult, MillError> {
        let started = Instant::now();
        if plan.wanted().next().is_none() {
            if !plan.cells.iter().all(|cell| matches!(cell.state, CellState::Impossible(_))) {
                self.keep_newest(&Store::open(&self.settings.home)?)?;
            }
            let cells = plan.cells.iter().map(settled).collect();
            return Ok(RunResult { run: None, cells, wall: started.elapsed(), cancelled: false });
        }
        let checks = self.ready(plan, reporter)?;
        let _reading = cache_use::share(&self.settings.cache);
        let client = Client::new(&self.settings.network).map_err(MillError::Network)?;
        let index = Index::new(&client, &self.settings.network);
        let sources = self.pin_all(plan, &index)?;

        let store = Store::open(&self.settings.home)?;
        self.keep_newest(&store)?;
        let run = store.begin_run(&NewRun {
            command_line: self.settings.command_line.clone(),
            project: self.settings.project.clone(),
            version: self.settings.version.clone(),
            owner: Owner::current()?,
        })?;
        let ids = plan.cells.iter().map(|cell| cell.id.clone()).collect();
        reporter.report(&Event::RunStarted { run: run.clone(), cells: ids });

        let gate = self.start_gate(plan, &store, reporter)?;
        let site = Workshop {
            context: AttemptContext {
                mill: self,
                store: &store,
                client: &client,
                index: &index,
                reporter,
                cancel: cancel.flag(),
                checks: &checks,
                gate: gate.as_ref(),
                free: None,
            },
            run: &run,
            plan,
            sources,
        };
        let schedule = self.schedule(most);
        let cells = Runner { site: &site, reporter, cancel, schedule }.run(tasks(plan))?;
        let cancelled = cancel.is_cancelled();
        let failed = cells.iter().any(|cell| {
            !matches!(
                cell.outcome,
                CellOutcome::Built | CellOutcome::Stored | CellOutcome::Impossible
            )
        });
        let outcome = match (cancelled, failed) {
            (true, _) => RunOutcome::Cancelled,
            (_, true) => RunOutcome::Failed,
            _ => RunOutcome::Done,
        };
        if let Some(by) = cancel.by() {
            store.note_cancelled_by(&run, by)?;
        }
        store.finish_run(&run, outcome)?;
        let wall = started.elapsed();
        reporter.report(&Event::RunFinished { run: run.clone(), wall });
        Ok(RunResult { run: Some(run), cells, wall, cancelled })
    }

    /// Starts the gate, where anything is built by a recipe. What an image's own installer sees of
    /// the machine is as it always was.
    fn start_gate(
        &self,
        plan: &Plan,
        store: &Store,
        reporter: &dyn Reporter,
    ) -> Result<Option<Gate>, MillError> {
        if plan.wanted_recipes().next().is_none() {
            return Ok(None);
        }
        let per_compile = plan.wanted_recipes().filter_map(|cell| cell.recipe.jobs.memory).max();
        let known = Known::read(store, plan.wanted_recipes().map(|cell| &cell.cell.package))?;
        let gate = Gate::start(&self.settings, &self.host, per_compile, known);
        Ok(gate.inspect_err(|error| reporter.report(&without_gate(None, error))).ok())
    }

    fn schedule(&self, most: Option<NonZeroU32>) -> Schedule {
        let processors = compile::processors(&self.settings, &self.host);
        let most = most.map_or(processors.max(LEAST_CELLS), |cells| cells.get() as usize);
        Schedule::new(most, processors)
    }

    /// Runs the preflight; warnings are told, problems end the run before it begins.
    fn ready(&self, plan: &Plan, reporter: &dyn Reporter) -> Result<Vec<Check>, MillError> {
        for warning in plan.warnings() {
            reporter.report(&Event::Warning {
                cell: None,
                message: warning.message.clone(),
                hint: warning.hint.clone(),
            });
        }
        let mut checks = self.preflight(plan);
        if checks.iter().all(|check| check.state != CheckState::Problem) {
            checks.extend(self.missing_torch(plan));
        }
        for check in checks.iter().filter(|check| check.state == CheckState::Warning) {
            reporter.report(&Event::Warning {
                cell: None,
                message: check.message.clone(),
                hint: check.fix.clone(),
            });
        }
        let problems: Vec<Check> =
            checks.iter().filter(|check| check.state == CheckState::Problem).cloned().collect();
        if problems.is_empty() { Ok(checks) } else { Err(MillError::NotReady(problems)) }
    }

    /// Pins the source of every wanted cell, so that a package or version that does not exist is
    /// refused before anything begins.
    fn pin_all(&self, plan: &Plan, index: &Index<'_>) -> Result<Vec<Option<Pinned>>, MillError> {
        let mut pinned: Vec<Option<Pinned>> = Vec::new();
        for cell in &plan.cells {
            let (CellState::Wanted, CellKind::Recipe(cell)) = (&cell.state, &cell.kind) else {
                pinned.push(None);
                continue;
            };
            let ground = cell.ground.as_ref().expect("a wanted cell has a ground");
            let source = if let Some(lock) = &ground.lock {
                (lock.version.clone(), lock.source.clone())
            } else if let Some(same) = plan.cells.iter().zip(&pinned).find_map(|(other, source)| {
                let CellKind::Recipe(other) = &other.kind else { return None };
                let same = other.cell.package == cell.cell.package
                    && other.cell.version == cell.cell.version
                    && other.cell.python == cell.cell.python;
                source.clone().filter(|_| same)
            }) {
                same
            } else {
                self.pin_cell(cell, index)?
            };
            pinned.push(Some(source));
        }
        Ok(pinned)
    }

    /// Pins the source of a cell that can be built.
    fn pin_cell(&self, cell: &RecipeCell, index: &Index<'_>) -> Result<Pinned, MillError> {
        if let Some(lock) = cell.ground.as_ref().and_then(|ground| ground.lock.as_ref()) {
            return Ok((lock.version.clone(), lock.source.clone()));
        }
        let version = cell.cell.version.as_ref();
        crate::fetch::pin(&cell.recipe, version, cell.cell.python, index)
            .map_err(|source| self.source_error(&cell.cell.package, source))
    }
}
