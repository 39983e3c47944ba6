//! The phase in which a finished wheel is judged: by its files, then by trying it.

use camino::Utf8Path;
use wheelmill_engine::{GpuSight, Gpus, Prepared};
use wheelmill_model::{Digest, DigestBuilder};
use wheelmill_wheel::{Environment, Inspection, Verdict, Wishes};

use super::course::ended;
use super::failure::CellError;
use super::gpus::{Wanted, pairs, require_driver, unmet};
use super::job::{Job as _, Stop};
use super::judge::{self, JudgeError, not_checked};
use super::log::CellLog;
use super::trial::{Imported, Needs, Trial, pins};
use super::work::Work;
use crate::diagnose::{Cause, RUNNING_ON_GPU};
use crate::lock::Lock;

const IMPORT: &str = "import";
const GPU: &str = "run on a GPU";

const NO_IMPORTS: &str = "the recipe names no module to import";

/// A wheel that is ready, and what is known and wanted of it.
struct Finished<'a> {
    wheel: &'a Utf8Path,
    inspection: &'a Inspection,
    wishes: Wishes,
}

impl Finished<'_> {
    /// The verdict with the libraries that the wheel is loaded with.
    fn judge_beside(&self, environment: Environment) -> Verdict {
        let wishes = Wishes { environment: Some(environment), ..self.wishes.clone() };
        wheelmill_wheel::judge(self.inspection, &wishes)
    }
}

/// A verdict on a wheel that could not be tried out, with the reasons.
fn unmade(mut verdict: Verdict, import: &str, gpu: &str) -> Verdict {
    verdict.not_checked.extend([not_checked(IMPORT, import), not_checked(GPU, gpu)]);
    verdict
}

impl Work<'_> {
    /// Judges a wheel. `unrepaired` says why no repair fitted it.
    pub(super) fn judge(
        &self,
        wheel: &Utf8Path,
        unrepaired: Option<&str>,
        lock: &Lock,
        foundation: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Verdict, Stop> {
        let inspection = judge::inspect(wheel)?;
        let wishes = judge::wishes(&self.cell.cell, lock.version.as_ref(), self.recipe());
        let mut verdict = wheelmill_wheel::judge(&inspection, &wishes);
        if verdict.passed {
            let finished = Finished { wheel, inspection: &inspection, wishes };
            verdict = self.try_out(finished, lock, foundation, verdict, log)?;
        }
        if let Some(reason) = unrepaired {
            verdict.add_not_repaired(reason);
        }
        for finding in &verdict.findings {
            log.note(&format!("{}: {}", finding.code, finding.message));
        }
        self.course.record("verdict", &serde_json::json!(verdict))?;
        if verdict.passed { Ok(verdict) } else { Err(CellError::Verdict(Box::new(verdict)).into()) }
    }

    /// Installs the wheel where nothing else is but what it requires, holds it against that, imports
    /// the recipe's modules, and runs its test on a GPU where there is one.
    fn try_out(
        &self,
        finished: Finished<'_>,
        lock: &Lock,
        foundation: &Prepared,
        verdict: Verdict,
        log: &mut CellLog<'_>,
    ) -> Result<Verdict, Stop> {
        let test = &self.recipe().test;
        let gpus = self.gpus_for_test(foundation, log)?;
        let has_modules = !finished.inspection.modules.is_empty();
        if test.imports.is_empty() && gpus.is_err() && !has_modules {
            return Ok(unmade(verdict, NO_IMPORTS, &gpus.err().unwrap_or_default()));
        }
        let composer = self.composer(&lock.base);
        let trial = Trial {
            engine: self.course.context.mill.engine.as_ref(),
            composer: &composer,
            foundation,
            wheel: finished.wheel,
            folder: &self.folder.fresh("trial")?,
            limits: self.budget.limits,
        };
        let requires = finished.inspection.metadata.requires_dist.clone();
        if let Err(why) = self.fill(&trial, requires, lock, log)? {
            let import = if test.imports.is_empty() { NO_IMPORTS } else { &why };
            return Ok(unmade(verdict, import, gpus.as_ref().err().unwrap_or(&why)));
        }
        let mut verdict = finished.judge_beside(trial.environment().map_err(JudgeError::Beside)?);
        let cancel = self.course.context.cancel;
        if test.imports.is_empty() {
            verdict.not_checked.push(not_checked(IMPORT, NO_IMPORTS));
        } else {
            match trial.import(&test.imports, log, cancel).map_err(JudgeError::Engine)? {
                Imported::Good => {}
                Imported::Undeclared { imported, missing } => {
                    verdict.add_undeclared(&imported, &missing);
                    return Ok(verdict);
                }
                Imported::Failed(exit) => return Err(CellError::Import(exit).into()),
            }
        }
        match (gpus, &test.gpu) {
            (Ok(gpus), Some(code)) => {
                self.course.tell(log, RUNNING_ON_GPU);
                let exit = trial.run_on(gpus, code, log, cancel).map_err(JudgeError::Engine)?;
                self.course.record("gpu-test", &ended(&exit))?;
                if !exit.success() {
                    return Err(CellError::Import(Box::new(exit)).into());
                }
            }
            (gpus, _) => {
                verdict.not_checked.extend(gpus.err().map(|why| not_checked(GPU, why)));
            }
        }
        Ok(verdict)
    }

    /// Makes the environment of a trial; gives why not, when only the network is to blame: the wheel
    /// may be good.
    fn fill(
        &self,
        trial: &Trial<'_>,
        mut requires: Vec<String>,
        lock: &Lock,
        log: &mut CellLog<'_>,
    ) -> Result<Result<(), String>, Stop> {
        let context = self.course.context;
        let (mill, store) = (context.mill, context.store);
        self.course.tell(log, "making an environment with what the wheel requires");
        let torch = self.cell.cell.torch.filter(|_| self.recipe().build.torch);
        requires.extend(torch.map(|torch| torch.requirement()));
        requires.extend(self.recipe().test_requirements(&lock.versioned(&self.cell.cell)));
        let pins = pins(&lock.requirements.toolchain);
        let request = self.question(&requires, &pins);
        let known = match mill.settings.refresh {
            true => None,
            false => store.lock(&request).map_err(Stop::store)?,
        };
        let needs = Needs { requires, pins, resolved: known.map(|lock| lock.text) };
        let resolved = match trial.fill(&needs, log, context.cancel) {
            Ok(resolved) => resolved,
            Err(error) => {
                let error = CellError::from(error);
                let failure = self.failure(&error, log);
                if error.is_cancelled() || failure.cause != Cause::NoNetwork {
                    return Err(Stop::Cell(Box::new(error)));
                }
                let why = format!("what it requires could not be fetched: {}", failure.message);
                return Ok(Err(why.trim_end_matches('.').to_owned()));
            }
        };
        if needs.resolved.is_none() {
            store.put_lock(&request, &resolved).map_err(Stop::store)?;
        }
        Ok(Ok(()))
    }

    /// What the versions of an environment are the answer to.
    fn question(&self, requires: &[String], pins: &[String]) -> Digest {
        DigestBuilder::new("trial")
            .fields("requires", requires)
            .fields("pins", pins)
            .field("python", self.cell.cell.python.to_string())
            .field("torch-backend", self.ground.toolchain.torch_backend.as_deref().unwrap_or(""))
            .field("index", self.course.context.mill.index_name())
            .finish()
    }

    /// The GPUs that the recipe's test gets, or why there is none to run.
    fn gpus_for_test(
        &self,
        foundation: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Result<Gpus, String>, Stop> {
        let mill = self.course.context.mill;
        if self.recipe().test.gpu.is_none() {
            return Ok(Err("the recipe has no test for one (`gpu` under `[test]`)".to_owned()));
        }
        let wish = &mill.settings.gpus;
        let mut variables = self.recipe().environment(&self.cell.cell, self.budget.jobs);
        let wanted = Wanted::by_recipe(wish, &variables).or_else(|| Wanted::by_image(wish));
        let Some(Wanted { gpus, .. }) = wanted else {
            return Ok(Err("builds are to use none (`--gpus none`)".to_owned()));
        };
        require_driver(&mut variables, self.cell.cell.cuda);
        variables.retain(|(name, _)| name.starts_with("NVIDIA_"));
        let cancel = self.course.context.cancel;
        let mut sight = mill
            .engine
            .look_for_gpus(foundation, &gpus, &variables, cancel)
            .map_err(JudgeError::Engine)?;
        if matches!(sight, GpuSight::Seen { .. }) {
            let driver = mill.driver().for_requirements();
            sight = unmet(&driver, pairs(&variables)).unwrap_or(sight);
        }
        self.course.tell_of_gpus(&sight, log)?;
        Ok(match sight {
            GpuSight::Seen { .. } => Ok(gpus),
            GpuSight::Unseen { why, .. } => Err(why),
        })
    }
}
