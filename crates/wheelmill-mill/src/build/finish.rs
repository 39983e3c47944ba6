//! What becomes of a wheel once it is built: repaired in a container without a network, then written
//! anew with its label and its pins.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use wheelmill_engine::{
    Cancel, Container, Engine, EngineError, Exit, Limits, OutputSink, Prepared,
};
use wheelmill_recipe::{Cell, Recipe};
use wheelmill_wheel::{Finish, FinishError, InspectOptions, Inspection, Pin, Severity};

use super::compile::mount;
use super::job::Stop;
use super::judge::{JudgeError, only_wheel};
use super::log::CellLog;
use super::work::Work;
use crate::environment::paths;
use crate::lock::Lock;
use crate::repair;

/// Why a wheel could not be finished.
#[derive(Debug, thiserror::Error)]
pub(super) enum RepairError {
    #[error("could not start the container for the repair")]
    Engine(#[source] EngineError),
    #[error("auditwheel broke")]
    Broke(Box<Exit>),
    #[error("the wheel could not be written anew")]
    Finish(#[from] FinishError),
}

impl Work<'_> {
    /// Repairs the wheel that the build left, labels and pins it; gives where it lies then, and why
    /// no repair fits it. A wheel that is not good stays what it is: the judge says why.
    pub(super) fn finish(
        &self,
        lock: &Lock,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<(Utf8PathBuf, Option<String>), Stop> {
        let built = only_wheel(&self.folder.path("out"))?;
        let inspection = look(&built).map_err(JudgeError::Wheel)?;
        let (mut wheel, mut unrepaired) = (built, None);
        match plan(&inspection, self.recipe()) {
            Plan::Refuse => return Ok((wheel, None)),
            Plan::Leave(reason) => self.course.tell(log, reason),
            Plan::Repair => match self.repair(&wheel, prepared, log)? {
                Ok(repaired) => wheel = repaired,
                Err(reason) => {
                    self.course.tell(log, &format!("not repaired: {reason}"));
                    unrepaired = Some(reason);
                }
            },
        }
        let wishes = wishes(self.recipe(), &lock.versioned(&self.cell.cell));
        let folder = self.folder.fresh("wheel")?;
        let (finished, detail) = write(&wheel, &wishes, &folder)?;
        log.note(&format!("finished {}", finished.file_name().unwrap_or_default()));
        self.course.record("finished", &detail)?;
        Ok((finished, unrepaired))
    }

    /// Runs auditwheel; gives the repaired wheel, or why no policy fits.
    fn repair(
        &self,
        wheel: &Utf8Path,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Result<Utf8PathBuf, String>, Stop> {
        let folder = self.folder.fresh("repaired")?;
        let repair = Repair {
            engine: self.course.context.mill.engine.as_ref(),
            prepared,
            wheel,
            folder: &folder,
            excluded: &repair::excluded(self.recipe()),
            limits: self.budget.limits,
        };
        let exit = run(&repair, log, self.course.context.cancel)?;
        if exit.success() {
            return Ok(Ok(only_wheel(&folder)?));
        }
        match repair::refusal(&log.tail()) {
            Some(reason) => Ok(Err(reason.to_owned())),
            None => Err(RepairError::Broke(Box::new(exit)).into()),
        }
    }
}

/// What is to be done about the repair of a wheel.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// It is repaired.
    Repair,
    /// It stays as it is, for this reason.
    Leave(&'static str),
    /// It is not good, which its judge will say.
    Refuse,
}

/// Looks at a wheel as its build left it.
fn plan(inspection: &Inspection, recipe: &Recipe) -> Plan {
    let platforms = || inspection.file_name.tags.iter().map(|tag| tag.platform.as_str());
    let is_bad = inspection.findings.iter().any(|finding| finding.severity == Severity::Error);
    match () {
        () if is_bad => Plan::Refuse,
        () if !recipe.wheel.repair => Plan::Leave("the recipe wants no repair"),
        () if inspection.modules.is_empty() => {
            Plan::Leave("there is nothing to repair: the wheel holds no native code")
        }
        () if platforms().any(|it| it.starts_with("manylinux") || it.starts_with("musllinux")) => {
            Plan::Leave("the wheel was repaired by its own build")
        }
        () => Plan::Repair,
    }
}

/// Reads a wheel as far as [`plan`] wants it.
fn look(wheel: &Utf8Path) -> Result<Inspection, wheelmill_wheel::WheelError> {
    let scratch = wheel.parent().map(Utf8Path::to_owned);
    wheelmill_wheel::inspect(wheel, &InspectOptions { scratch, ..InspectOptions::default() })
}

/// What to repair a wheel with.
struct Repair<'a> {
    engine: &'a dyn Engine,
    prepared: &'a Prepared,
    wheel: &'a Utf8Path,
    /// An empty folder for the repaired wheel.
    folder: &'a Utf8Path,
    excluded: &'a [String],
    limits: Limits,
}

/// Runs auditwheel. Where it ends well the repaired wheel is in the folder; where not, what it
/// printed says whether no policy fits.
fn run(
    repair: &Repair<'_>,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<Exit, RepairError> {
    let name = repair.wheel.file_name().unwrap_or_default();
    let target = format!("/build/wheel/{name}");
    let python = format!("{}/bin/python", paths::REPAIR_ENVIRONMENT);
    let mut command =
        [&python, "-m", "auditwheel", "repair", "--plat", "auto", "--wheel-dir", paths::OUTPUT]
            .map(str::to_owned)
            .to_vec();
    for pattern in repair.excluded {
        command.extend(["--exclude".to_owned(), pattern.clone()]);
    }
    command.push(target.clone());
    let path = format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", paths::REPAIR_ENVIRONMENT);
    let environment = [("PATH", path.as_str()), ("HOME", "/tmp"), ("LC_ALL", "C.UTF-8")];
    let container = Container {
        name: "repair".to_owned(),
        command,
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        directory: "/tmp".into(),
        mounts: vec![
            mount(repair.wheel, &target, false),
            mount(repair.folder, paths::OUTPUT, true),
        ],
        limits: repair.limits,
        ..Container::default()
    };
    let exit = repair.engine.run(repair.prepared, &container, output, cancel);
    let exit = exit.map_err(RepairError::Engine)?;
    if exit.cancelled { Err(RepairError::Engine(EngineError::Cancelled)) } else { Ok(exit) }
}

/// What the recipe wants of a cell's wheel.
fn wishes(recipe: &Recipe, cell: &Cell) -> Finish {
    let torch = cell.torch.filter(|_| recipe.wheel.pin_torch);
    let pin = torch.map(|torch| Pin {
        package: "torch".parse().expect("a legal name"),
        release: torch.to_string().parse().expect("a release is a version"),
    });
    Finish {
        local_label: recipe.local_label(cell),
        pin,
        requires: recipe.wheel_requirements(cell),
        epoch: None,
    }
}

/// Writes the wheel anew; gives its path, and what the history is told.
fn write(
    wheel: &Utf8Path,
    wishes: &Finish,
    folder: &Utf8Path,
) -> Result<(Utf8PathBuf, serde_json::Value), RepairError> {
    let finished = wheelmill_wheel::finish(wheel, wishes, folder)?;
    let detail = json!({
        "from": wheel.file_name(),
        "to": finished.path.file_name(),
        "digest": finished.digest,
        "size-bytes": finished.size,
    });
    Ok((finished.path, detail))
}
