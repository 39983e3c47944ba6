//! Cheap checks before anything heavy.

mod driver;
mod machine;
mod outside;

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;
use wheelmill_model::CheckState;

use crate::fetch::{Client, Index};
use crate::host::{available_memory, total_memory};
use crate::mill::Mill;
use crate::plan::{Plan, RecipeCell};
pub(crate) use outside::base_hint;

/// One check of this machine, or of something outside that a plan wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// What is checked; stable.
    pub code: &'static str,
    /// How it came out.
    pub state: CheckState,
    /// What was seen.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Check {
    /// Whether it is of something that the user named, not of the machine or the network.
    #[must_use]
    pub fn is_of_wishes(&self) -> bool {
        matches!(self.code, "source" | "torch")
    }

    fn new(code: &'static str, state: CheckState, message: String, fix: Option<&str>) -> Self {
        Self { code, state, message, fix: fix.map(str::to_owned) }
    }
}

impl Mill {
    /// What of this machine would stop a plan from being built. Reads only; asks the index whether
    /// it answers when something must be fetched.
    #[must_use]
    pub fn preflight(&self, plan: &Plan) -> Vec<Check> {
        if plan.wanted().next().is_none() {
            return Vec::new();
        }
        let mut checks = match machine::unwritable(&self.settings.cache, "WHEELMILL_CACHE") {
            // The engine works in that folder, and would say the same in other words.
            Some(check) => vec![check],
            None if plan.wants_images() => machine::builder(self.engine.as_ref()),
            None => machine::engine(self.engine.as_ref()),
        };
        checks.extend(self.packages(plan));
        checks.extend(machine::unwritable(&self.settings.home, "WHEELMILL_HOME"));
        checks.push(machine::disk(&self.settings.cache, &self.environments(plan)));
        checks.push(machine::disk(&self.settings.home, &[]));
        checks.push(machine::memory(
            self.settings.memory.or_else(available_memory),
            self.settings.memory.is_some(),
            plan.wanted_recipes().filter_map(|cell| cell.recipe.jobs.memory).max(),
            total_memory(),
        ));
        if unlocked(plan).next().is_some() {
            checks.push(match Client::new(&self.settings.network) {
                Ok(client) => outside::index(&Index::new(&client, &self.settings.network)),
                Err(error) => {
                    let fix = error.hint();
                    Check::new("index", CheckState::Problem, error.to_string(), Some(fix))
                }
            });
        }
        checks
    }

    /// As [`Self::preflight`], whether the driver is good for the GPUs that cells are to have, and
    /// whether what the plan wants from outside is there: packages and
    /// their versions, bases, Pythons, builds of torch. Asks whatever a build would ask to pin them.
    #[must_use]
    pub fn check(&self, plan: &Plan) -> Vec<Check> {
        let mut checks = self.preflight(plan);
        checks.extend(driver::misfits(self, plan));
        if unlocked(plan).next().is_none() {
            return checks;
        }
        let Ok(client) = Client::new(&self.settings.network) else { return checks };
        let index = Index::new(&client, &self.settings.network);
        let answers = |check: &Check| check.code == "index" && check.state == CheckState::Ok;
        if checks.iter().any(answers) {
            checks.extend(outside::sources(self, plan, &index));
            checks.extend(outside::torch(plan, &index));
        } else {
            let message = "whether the packages are there, as the index cannot be asked";
            checks.push(Check::new("source", CheckState::NotChecked, message.to_owned(), None));
        }
        checks.extend(outside::torch_indexes(plan, &client));
        checks.extend(outside::bases(self, plan));
        checks.extend(outside::pythons(self, plan, &client));
        checks
    }

    /// Where containers have no layers, what builds need of the distribution must be there.
    fn packages(&self, plan: &Plan) -> Option<Check> {
        let isolation = self.engine.probe().isolation?;
        if isolation.has_layers() {
            return None;
        }
        let missing: BTreeSet<String> = plan
            .wanted_recipes()
            .filter_map(|cell| {
                let ground = cell.ground.as_ref()?;
                let base = &ground.base;
                Some(self.composer(&cell.cell, &cell.recipe, ground, base).missing_packages())
            })
            .flatten()
            .collect();
        if missing.is_empty() {
            return None;
        }
        let missing = missing.into_iter().collect::<Vec<_>>().join(" ");
        let message = format!(
            "this machine lacks {missing}, and the isolation `{isolation}` lets builds install nothing"
        );
        let fix = format!("have an administrator install them: {missing}");
        Some(Check::new("packages", CheckState::Problem, message, Some(&fix)))
    }

    /// What of the versions of torch in a plan is not on the index: those that the facts do not tell
    /// of, and single patch releases.
    pub(crate) fn missing_torch(&self, plan: &Plan) -> Vec<Check> {
        if outside::untold_torch(plan).is_empty() {
            return Vec::new();
        }
        let Ok(client) = Client::new(&self.settings.network) else { return Vec::new() };
        let index = Index::new(&client, &self.settings.network);
        let checks = outside::torch(plan, &index).into_iter();
        checks.filter(|check| check.state == CheckState::Problem).collect()
    }

    /// The toolchains that would have to be made, of each whether it has torch. Cells for one base,
    /// Python and set of requirements share one.
    fn environments(&self, plan: &Plan) -> Vec<bool> {
        // A cache that was deleted leaves its locks behind.
        let kept = self.settings.cache.join("layers").is_dir();
        let missing = plan.wanted_recipes().filter_map(|cell| {
            let ground = cell.ground.as_ref()?;
            let made = kept && ground.lock.is_some();
            let toolchain = &ground.toolchain;
            let shared =
                (&ground.base, &toolchain.toolkit, &toolchain.requirements, cell.cell.python);
            let torch = cell.recipe.build.torch;
            (!made).then_some((shared, torch))
        });
        missing.collect::<HashSet<_>>().into_iter().map(|(_, torch)| torch).collect()
    }
}

/// The cells that would be built and of which no earlier build kept what they resolved to.
fn unlocked(plan: &Plan) -> impl Iterator<Item = &RecipeCell> {
    plan.wanted_recipes()
        .filter(|cell| cell.ground.as_ref().is_some_and(|ground| ground.lock.is_none()))
}
