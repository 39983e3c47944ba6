//! Whether NVIDIA's driver is good for the GPUs that cells are to have.

use wheelmill_engine::GpuSight;
use wheelmill_model::CheckState;

use super::Check;
use crate::build::gpus::{Wanted, need};
use crate::mill::Mill;
use crate::plan::{CellKind, Plan};

/// A check for every need that the driver does not meet, as a build would find it before anything is
/// fetched, with the cells that have it; none where it meets all, or no cell is to have GPUs.
pub(super) fn misfits(mill: &Mill, plan: &Plan) -> Vec<Check> {
    let wish = &mill.settings.gpus;
    let mut found: Vec<(Check, Vec<&str>)> = Vec::new();
    for cell in plan.wanted() {
        let (wanted, variables, cuda) = match &cell.kind {
            CellKind::Recipe(recipe) => {
                // What a cell asks for does not depend on its jobs.
                let variables = recipe.recipe.environment(&recipe.cell, 1);
                (Wanted::by_recipe(wish, &variables), variables, recipe.cell.cuda)
            }
            CellKind::Image(image) => (Wanted::by_image(wish), Vec::new(), image.cell.cuda),
        };
        let Some(wanted) = wanted else { continue };
        let sight = need(&mill.driver().for_requirements(), variables, cuda);
        let Some(GpuSight::Unseen { why, fix }) = sight else { continue };
        let state = match wanted.is_needed() {
            true => CheckState::Problem,
            false => CheckState::Warning,
        };
        let check = Check::new("driver", state, why, Some(&fix));
        match found.iter_mut().find(|(known, _)| *known == check) {
            Some((_, cells)) => cells.push(&cell.id),
            None => found.push((check, vec![&cell.id])),
        }
    }
    let named = |(check, cells): (Check, Vec<&str>)| {
        let cells = match &cells[..] {
            [first, others @ ..] if !others.is_empty() => {
                format!("{first} and {} more", others.len())
            }
            _ => cells.concat(),
        };
        Check { message: format!("{cells}: {}", check.message), ..check }
    };
    found.into_iter().map(named).collect()
}
