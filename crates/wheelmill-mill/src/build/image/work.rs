//! The work of one attempt by an image.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use wheelmill_engine::{
    BuiltImage, EngineError, Gpus, ImageBuild, ImageBuilder, ImageContainer, Stream,
};
use wheelmill_model::{CellKey, Digest, DigestBuilder, Phase};
use wheelmill_store::{NewWheel, StoredWheel};
use wheelmill_wheel::{InspectOptions, NotChecked, Verdict, WheelError, Wishes};

use super::container::{installing, looking, shell, volume};
use super::failure::{ImageEvidence, failure};
use super::look::{InstallerError, Look};
use crate::build::compile::{self, Budget};
use crate::build::course::Course;
use crate::build::failure::CellError;
use crate::build::folder::WorkFolder;
use crate::build::gpus::{Wanted, pairs};
use crate::build::job::{Done, Job, Judged, Kept, Measured, Stop};
use crate::build::judge::JudgeError;
use crate::build::log::CellLog;
use crate::build::shell::{Openable, Shell, ShellContainer, ShellPlace};
use crate::diagnose::Failure;
use crate::environment::ambient;
use crate::layout::{ImageCell, ImageGround, ImageLock, key, stored, wheel_key};
use crate::mill::Mill;

/// Builds a cell by its image.
pub(in crate::build) struct ImageWork<'a> {
    course: Course<'a>,
    cell: &'a ImageCell,
    ground: &'a ImageGround,
    /// Where new wheels are judged. One for each volume, since what is new in it is this build's
    /// only while no other one writes there.
    folder: WorkFolder,
    budget: Budget,
    measured: Measured,
}

impl Job for ImageWork<'_> {
    fn run(&mut self, log: &mut CellLog<'_>) -> Result<Done, Stop> {
        let waiting = "waiting for another wheelmill that builds into this volume";
        let held = self.course.hold(&self.folder, waiting, log)?;
        let done = self.all(log);
        // What could not be kept is said to lie here.
        if !matches!(done, Err(Stop::NotKept(..))) {
            self.folder.remove_all()?;
        }
        drop(held);
        done
    }

    fn failure(&self, error: &CellError, log: &mut CellLog<'_>) -> Failure {
        let evidence = ImageEvidence {
            cell: &self.cell.cell,
            phase: self.course.phase,
            limits: self.budget.limits,
            jobs: self.budget.jobs,
            options: &self.course.context.mill.settings.options,
            engine: self.course.context.mill.engine.kind(),
        };
        failure(error, &evidence, log)
    }

    fn measured(&self) -> &Measured {
        &self.measured
    }
}

/// A new wheel, out of the volume.
struct NewFile {
    /// Its path in containers.
    name: Utf8PathBuf,
    /// Its copy.
    path: Utf8PathBuf,
    /// What it was found to be, where it can be read.
    verdict: Result<Verdict, WheelError>,
}

impl Openable for ImageWork<'_> {
    fn shell_log(&self) -> Utf8PathBuf {
        self.folder.path("shell.log")
    }

    fn open(&mut self, log: &mut CellLog<'_>) -> Result<Shell, Stop> {
        let waiting = "waiting for another wheelmill that builds into this volume";
        let held = self.course.hold(&self.folder, waiting, log)?;
        self.course.begin(Phase::Environment, log)?;
        let image = self.image(log)?;
        // Whoever looks for an installer that is missing must get in.
        let installer = self.look(&image)?.installer(&self.cell.cell, &image).ok();
        let left = self.builder()?.remains(&self.remains())?;
        let used = left.is_some();
        let opened = match left {
            Some(left) => BuiltImage { id: left, ..image },
            None => image,
        };
        let network = &self.mill().settings.network;
        let mut container = shell(&self.cell.cell, &opened, network, self.budget.limits);
        container.gpus = self.gpus(&opened, &container, log)?;
        Ok(Shell {
            command: installer.map(Utf8PathBuf::into_string).into_iter().collect(),
            place: ShellPlace::Volume(self.cell.cell.volume.clone()),
            used,
            container: ShellContainer::Image(Box::new(container)),
            held,
        })
    }
}

impl<'a> ImageWork<'a> {
    pub(in crate::build) fn new(course: Course<'a>, cell: &'a ImageCell) -> Self {
        let ground = cell.ground.as_ref().expect("a wanted cell has a ground");
        let context = course.context;
        let digest = DigestBuilder::new("volume")
            .field("engine", context.mill.engine.kind().as_str())
            .field("volume", &cell.cell.volume)
            .finish();
        Self {
            course,
            cell,
            ground,
            folder: WorkFolder::new(context.store.work_folder(&CellKey(digest))),
            budget: compile::budget(context, None),
            measured: Measured::default(),
        }
    }

    fn all(&mut self, log: &mut CellLog<'_>) -> Result<Done, Stop> {
        self.course.begin(Phase::Preflight, log)?;
        self.course.record("checks", &json!(self.course.context.checks))?;

        self.course.begin(Phase::Environment, log)?;
        let image = self.image(log)?;
        let before = self.look(&image)?;
        let installer = before.installer(&self.cell.cell, &image)?;
        let key = key(&self.ground.request, &image.id, &installer);
        self.course.set_key(&key)?;
        if let Some(lock) = self.ground.lock.as_ref().filter(|lock| lock.key == key)
            && let Some((first, more)) =
                stored(self.course.context.store, lock).map_err(Stop::store)?
        {
            return Ok(Done::Stored(Kept { first: Box::new(first), more }));
        }

        self.course.begin(Phase::Compile, log)?;
        self.builder()?.remove_remains(&self.remains())?;
        self.install(&image, &installer, log)?;

        self.course.begin(Phase::Verify, log)?;
        let after = self.look(&image)?;
        let new = self.judge(&image, &after.news_since(&before), log)?;

        self.course.begin(Phase::Store, log)?;
        let lock = ImageLock { image: image.id.clone(), installer, key, wheels: Vec::new() };
        self.store(new, lock, log)
    }

    /// By what is kept what a failed build left: one for each cell of a folder, however often it is
    /// edited.
    fn remains(&self) -> Digest {
        DigestBuilder::new("remains")
            .field("cell", self.course.cell)
            .field("dockerfile", self.cell.cell.dockerfile.as_str())
            .finish()
    }

    fn mill(&self) -> &'a Mill {
        self.course.context.mill
    }

    fn builder(&self) -> Result<&'a dyn ImageBuilder, EngineError> {
        self.mill().builder()
    }

    /// The GPUs that the installer can have.
    fn gpus(
        &self,
        image: &BuiltImage,
        container: &ImageContainer,
        log: &mut CellLog<'_>,
    ) -> Result<Option<Gpus>, Stop> {
        let Some(wanted) = Wanted::by_image(&self.mill().settings.gpus) else { return Ok(None) };
        let (builder, environment) = (self.builder()?, &container.environment);
        let cancel = self.course.context.cancel;
        // What the container sets counts more than what the image does.
        let of_image = image.environment.iter().map(|(name, value)| (&**name, &**value));
        let all = of_image.chain(pairs(environment));
        let look = |gpus: &Gpus| builder.look_for_gpus(&image.id, gpus, environment, cancel);
        self.course.grant(wanted, all, look, log)
    }

    fn image(&self, log: &mut CellLog<'_>) -> Result<BuiltImage, Stop> {
        let cell = &self.cell.cell;
        self.course.tell(log, &format!("building the image {}", cell.image));
        let settings = &self.course.context.mill.settings;
        let (variables, _) = ambient(&settings.network);
        let is_proxy = |name: &str| name.to_ascii_lowercase().ends_with("_proxy");
        let build = ImageBuild {
            name: cell.image.clone(),
            context: (*self.ground.context).clone(),
            arguments: variables.into_iter().filter(|(name, _)| is_proxy(name)).collect(),
            network: !settings.network.offline,
            fresh: settings.refresh,
        };
        let image = self.builder()?.build_image(&build, log, self.course.context.cancel)?;
        self.course.record("image", &json!({ "name": cell.image, "id": image.id }))?;
        Ok(image)
    }

    /// Lists what the image and the volume hold. The log is about the build alone.
    fn look(&self, image: &BuiltImage) -> Result<Look, Stop> {
        let (mut said, mut complaints) = (Vec::new(), Vec::new());
        let mut sink = |stream: Stream, bytes: &[u8]| match stream {
            Stream::Stdout => said.extend_from_slice(bytes),
            Stream::Stderr => complaints.extend_from_slice(bytes),
        };
        let container = looking(&self.cell.cell, &image.id);
        let cancel = self.course.context.cancel;
        let exit = self.builder()?.run_image(&container, &mut sink, cancel)?;
        if exit.cancelled {
            return Err(EngineError::Cancelled.into());
        }
        if !exit.success() {
            let why = String::from_utf8_lossy(&complaints).trim().to_owned();
            return Err(InstallerError::Look(why).into());
        }
        Ok(Look::parse(&String::from_utf8_lossy(&said)))
    }

    fn install(
        &mut self,
        image: &BuiltImage,
        installer: &Utf8Path,
        log: &mut CellLog<'_>,
    ) -> Result<(), Stop> {
        let cell = &self.cell.cell;
        let (network, limits) = (&self.mill().settings.network, self.budget.limits);
        let remains = self.remains();
        let mut container = installing(cell, image, installer, network, limits, remains);
        container.gpus = self.gpus(image, &container, log)?;
        let on = if container.network { "on" } else { "off" };
        self.course.tell(log, &format!("running {installer}, network {on}"));
        self.course.record(
            "command",
            &json!({ "installer": installer, "volume": cell.volume, "network": container.network }),
        )?;
        let builder = self.builder()?;
        let exit = self.course.in_time(|cancel| builder.run_image(&container, log, cancel))?;
        self.measured = Measured {
            peak: exit.peak_memory,
            exit_code: Some(exit.code),
            compiles: log.progress().and_then(|(_, total)| u32::try_from(total).ok()),
            ..Measured::default()
        };
        self.course.record("exit", &json!(exit))?;
        // A log that has holes would lead every later look astray.
        if let Some(error) = log.take_error() {
            return Err(error.into());
        }
        if exit.success() { Ok(()) } else { Err(CellError::Build(Box::new(exit)).into()) }
    }

    /// Copies the new wheels out of the volume and judges each by itself: nobody said what it is to
    /// be.
    fn judge(
        &self,
        image: &BuiltImage,
        new: &[&Utf8Path],
        log: &mut CellLog<'_>,
    ) -> Result<Vec<NewFile>, Stop> {
        if new.is_empty() {
            return Err(JudgeError::NoWheel.into());
        }
        let volume = volume(&self.cell.cell);
        let mut judged = Vec::new();
        for (index, file) in new.iter().enumerate() {
            // In a folder each: two folders of the volume may hold files of one name.
            let folder = self.folder.fresh(&index.to_string())?;
            let path = folder.join(file.file_name().unwrap_or_default());
            let cancel = self.course.context.cancel;
            self.builder()?.copy_from_volume(&image.id, &volume, file, &path, cancel)?;
            let options = InspectOptions { scratch: Some(folder), ..InspectOptions::default() };
            let name = (*file).to_owned();
            let inspection = match wheelmill_wheel::inspect(&path, &options) {
                Ok(inspection) => inspection,
                Err(error) => {
                    log.note(&format!("new in the volume: {file}: {error}"));
                    judged.push(NewFile { name, path, verdict: Err(error) });
                    continue;
                }
            };
            let mut verdict = wheelmill_wheel::judge(&inspection, &Wishes::default());
            verdict.not_checked.push(NotChecked {
                what: "import".to_owned(),
                why: "only the image knows what the wheel is imported beside".to_owned(),
            });
            verdict.not_checked.push(NotChecked {
                what: "run on a GPU".to_owned(),
                why: "nobody says what to run: images have no recipe".to_owned(),
            });
            log.note(&format!("new in the volume: {file}: {}", verdict.summary));
            for finding in &verdict.findings {
                log.note(&format!("{}: {}", finding.code, finding.message));
            }
            self.course.record("verdict", &json!({ "wheel": file, "verdict": verdict }))?;
            judged.push(NewFile { name, path, verdict: Ok(verdict) });
        }
        Ok(judged)
    }

    /// Keeps the good wheels. When one is not good the cell has failed, though the others are kept.
    fn store(
        &self,
        new: Vec<NewFile>,
        mut lock: ImageLock,
        log: &mut CellLog<'_>,
    ) -> Result<Done, Stop> {
        let store = self.course.context.store;
        let mut kept: Vec<StoredWheel> = Vec::new();
        let mut judged = Judged { summary: String::new(), not_checked: Vec::new() };
        let (mut refused, mut unreadable) = (None, None);
        for NewFile { name, path, verdict } in new {
            let mut verdict = match verdict {
                Ok(verdict) => verdict,
                Err(source) => {
                    log.note(&format!("{name} is not stored; it stays in the volume"));
                    unreadable.get_or_insert(JudgeError::Unreadable { wheel: name, source });
                    continue;
                }
            };
            if !verdict.passed {
                log.note(&format!("{name} is not stored; it stays in the volume"));
                for finding in &mut verdict.findings {
                    finding.message = format!("{name}: {}", finding.message);
                }
                refused.get_or_insert(verdict);
                continue;
            }
            let wheel = NewWheel {
                key: wheel_key(&lock.key, &name),
                cell: self.course.cell.to_owned(),
                spec: self.cell.spec(),
                verdict: json!(verdict),
                passed: true,
                run: self.course.run().clone(),
            };
            let added = store.add_wheel(&path, &wheel);
            let added = added.map_err(|source| Stop::NotKept(path.clone(), Box::new(source)))?;
            lock.wheels.push(wheel.key);
            kept.push(added.wheel);
            if judged.summary.is_empty() {
                judged.summary = verdict.summary;
            }
            for check in verdict.not_checked {
                if !judged.not_checked.contains(&check) {
                    judged.not_checked.push(check);
                }
            }
        }
        if let Some(error) = unreadable {
            return Err(error.into());
        }
        if let Some(verdict) = refused {
            return Err(CellError::Verdict(Box::new(verdict)).into());
        }
        let text = serde_json::to_string(&lock).expect("a lock is plain data");
        store.put_lock(&self.ground.request, &text).map_err(Stop::store)?;
        let mut kept = kept.into_iter();
        let first = kept.next().ok_or(JudgeError::NoWheel)?;
        Ok(Done::Built(Kept { first: Box::new(first), more: kept.collect() }, judged))
    }
}
