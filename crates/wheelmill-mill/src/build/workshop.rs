//! The cells of a plan at their work, and those for which nothing is done.

use serde_json::json;
use wheelmill_model::{ByteSize, RunId};
use wheelmill_store::{AttemptEnd, NewCell, Outcome, Store};

use super::attempt::attempt;
use super::context::AttemptContext;
use super::gate::{Gate, Room};
use super::runner::{Site, Task};
use super::work::Pinned;
use crate::error::MillError;
use crate::event::{CellOutcome, CellResult, Reporter};
use crate::plan::{CellKind, CellState, Plan, PlannedCell};
use crate::planner::spec;
use crate::unchecked::not_checked;

/// The cells of a plan, for whoever lets them be worked on. An image is built by its own installer,
/// which divides a machine that it believes to have for itself.
pub(super) fn tasks(plan: &Plan) -> Vec<Task> {
    let task = |(place, cell): (usize, &PlannedCell)| Task {
        place,
        cell: cell.id.clone(),
        wanted: matches!(cell.state, CellState::Wanted),
        alone: matches!(cell.kind, CellKind::Image(_)),
    };
    plan.cells.iter().enumerate().map(task).collect()
}

/// Where the cells of a run are worked on.
pub(super) struct Workshop<'a> {
    pub(super) context: AttemptContext<'a>,
    pub(super) run: &'a RunId,
    pub(super) plan: &'a Plan,
    /// In the order of the plan.
    pub(super) sources: Vec<Option<Pinned>>,
}

impl Site for Workshop<'_> {
    fn work(
        &self,
        task: &Task,
        reporter: &dyn Reporter,
        free: Option<ByteSize>,
    ) -> Result<CellResult, MillError> {
        let context = AttemptContext { reporter, free, ..self.context };
        let source = self.sources[task.place].clone();
        attempt(&context, self.run, &self.plan.cells[task.place], source)
    }

    fn leave(&self, task: &Task) -> Result<CellResult, MillError> {
        let cell = &self.plan.cells[task.place];
        if !task.wanted {
            record(self.context.store, self.run, cell)?;
        }
        Ok(settled(cell))
    }

    fn room(&self) -> Option<Room> {
        self.context.gate.and_then(Gate::room)
    }
}

/// A cell for which nothing is done.
pub(super) fn settled(cell: &PlannedCell) -> CellResult {
    let more_wheels = match (&cell.state, &cell.kind) {
        (CellState::Stored(_), CellKind::Image(cell)) => cell.more_wheels.clone(),
        _ => Vec::new(),
    };
    let (outcome, wheel) = match &cell.state {
        CellState::Stored(wheel) => (CellOutcome::Stored, Some((**wheel).clone())),
        CellState::Impossible(_) => (CellOutcome::Impossible, None),
        CellState::Wanted => (CellOutcome::Cancelled, None),
    };
    let verdict =
        wheel.as_ref().and_then(|wheel| wheel.verdict.get("summary")?.as_str().map(str::to_owned));
    let not_checked = wheel.as_ref().map(|wheel| not_checked(&wheel.verdict)).unwrap_or_default();
    CellResult {
        wheel,
        more_wheels,
        verdict,
        not_checked,
        ..CellResult::new(cell.id.clone(), outcome)
    }
}

/// Writes down a cell for which nothing is done, so that the run's page shows the whole plan.
fn record(store: &Store, run: &RunId, cell: &PlannedCell) -> Result<(), MillError> {
    let attempt = store.begin_attempt(run, &new_cell(cell))?;
    let end = match &cell.state {
        CellState::Stored(wheel) => {
            AttemptEnd { wheel: Some(wheel.digest), ..AttemptEnd::new(Outcome::Stored) }
        }
        CellState::Impossible(reasons) => AttemptEnd {
            cause: Some(json!({ "cause": "impossible", "reasons": reasons })),
            ..AttemptEnd::new(Outcome::Impossible)
        },
        CellState::Wanted => AttemptEnd::new(Outcome::Cancelled),
    };
    Ok(store.finish_attempt(attempt.id, &end)?)
}

pub(super) fn new_cell(cell: &PlannedCell) -> NewCell {
    let (package, spec) = match &cell.kind {
        CellKind::Recipe(recipe) => (&recipe.cell.package, spec(&recipe.cell)),
        CellKind::Image(image) => (&image.cell.package, image.spec()),
    };
    NewCell { id: cell.id.clone(), key: None, package: package.clone(), spec }
}
