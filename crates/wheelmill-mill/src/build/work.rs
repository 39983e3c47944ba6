//! The way of a cell: from its source to a wheel in the store, phase by phase, each written to the
//! history before it begins.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;
use wheelmill_engine::{Base, Container, Environment, Exit, Gpus, Prepared};
use wheelmill_model::{CellKey, DigestBuilder, Phase, Version};
use wheelmill_recipe::{Cell, Recipe};
use wheelmill_store::{NewWheel, StoredWheel};
use wheelmill_wheel::Verdict;

use super::compile::{self, Budget, Folders, mount};
use super::compile_cache::CacheCount;
use super::context::AttemptContext;
use super::course::{Course, ended};
use super::failure::{CellError, WorkEvidence, failure};
use super::folder::{FolderLock, WorkFolder};
use super::gate::{Compiled, GateError, OpenGate, dearest, without_gate};
use super::gpus::{Wanted, need, pairs, require_driver};
use super::job::{Done, Job, Measured, Stop};
use super::listener::Listener;
use super::log::CellLog;
use super::resume::Leftover;
use super::shell::{Openable, Shell, ShellContainer, ShellPlace};
use super::source::{SourceContext, bring, declared_requirements};
use crate::diagnose::Failure;
use crate::environment::{Composer, paths, resolve};
use crate::event::Event;
use crate::fetch::{PinnedSource, UV};
use crate::lock::{self, Lock};
use crate::plan::{Ground, RecipeCell};
use crate::planner::spec;

/// A source, with its version where that is known before it is built.
pub(super) type Pinned = (Option<Version>, PinnedSource);

/// What a cell is built from, once it is there.
struct Ready {
    lock: Lock,
    /// What is below everything of Python.
    foundation: Prepared,
    environment: Environment,
    /// Whether the source is as a failed build, or another shell, left it.
    used: bool,
}

/// The work of one attempt by a recipe.
pub(super) struct Work<'a> {
    pub(super) course: Course<'a>,
    pub(super) cell: &'a RecipeCell,
    pub(super) ground: &'a Ground,
    pinned: Option<Pinned>,
    pub(super) folder: WorkFolder,
    pub(super) budget: Budget,
    measured: Measured,
    /// What became of the compilers, where the gate admitted them.
    compiled: Option<Compiled>,
    /// Whether it has objects of an earlier attempt.
    resumed: bool,
}

impl Job for Work<'_> {
    /// Goes the whole way, holding the cell's folder. What a build left that failed or was stopped
    /// stays, for whoever wants to look at it and for the next attempt; of one that went well nothing
    /// big does.
    fn run(&mut self, log: &mut CellLog<'_>) -> Result<Done, Stop> {
        let held = self.hold(log)?;
        let done = self.all(log);
        match &done {
            Ok(_) => self.folder.remove_all()?,
            Err(Stop::Cell(error)) if error.is_cancelled() => {
                for name in ["home", "scratch"] {
                    self.folder.remove(name)?;
                }
            }
            Err(_) => {
                self.folder.remove("scratch")?;
                if self.is_suspect() {
                    Leftover(&self.folder).forget()?;
                }
            }
        }
        drop(held);
        done
    }

    fn failure(&self, error: &CellError, log: &mut CellLog<'_>) -> Failure {
        let work = WorkEvidence {
            phase: self.course.phase,
            cell: &self.cell.cell,
            budget: self.budget,
            network: self.course.phase != Phase::Compile || self.cell.recipe.build.network,
            recipe: &self.cell.recipe,
            options: &self.course.context.mill.settings.options,
            engine: self.course.context.mill.engine.kind(),
            admitted: self.compiled.as_ref().map(Compiled::admitted),
        };
        failure(error, work, log)
    }

    fn measured(&self) -> &Measured {
        &self.measured
    }
}

impl Openable for Work<'_> {
    fn shell_log(&self) -> Utf8PathBuf {
        self.folder.path("shell.log")
    }

    fn open(&mut self, log: &mut CellLog<'_>) -> Result<Shell, Stop> {
        let held = self.hold(log)?;
        Leftover(&self.folder).give_away()?;
        let Ready { lock, environment, used, .. } = self.make_ready(true, log)?;
        let prepared = self.prepare(&environment, log)?;
        for name in ["src", "out", "home"] {
            fs_err::create_dir_all(self.folder.path(name))?;
        }
        let built = self.container(&lock, &prepared, log)?;
        let (command, mut container) = compile::shell(built);
        // Build systems wrote down compilers that they found here.
        let gate = self.folder.path("gate");
        if used && gate.is_dir() {
            container.mounts.push(mount(&gate, paths::GATE, true));
        }
        Ok(Shell {
            command,
            place: ShellPlace::Source(self.folder.path("src")),
            used,
            container: ShellContainer::Recipe(prepared, Box::new(container)),
            held,
        })
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(course: Course<'a>, cell: &'a RecipeCell, pinned: Pinned) -> Self {
        let ground = cell.ground.as_ref().expect("a wanted cell has a ground");
        let digest = DigestBuilder::new("work")
            .field("request", ground.request.as_bytes())
            .field("cell", course.cell)
            .finish();
        let context = course.context;
        Self {
            course,
            cell,
            ground,
            pinned: Some(pinned),
            folder: WorkFolder::new(context.store.work_folder(&CellKey(digest))),
            budget: match context.gate {
                Some(_) => compile::gated_budget(context),
                None => compile::budget(context, cell.recipe.jobs.memory),
            },
            measured: Measured::default(),
            compiled: None,
            resumed: false,
        }
    }

    fn hold(&self, log: &mut CellLog<'_>) -> Result<FolderLock, Stop> {
        let waiting = "waiting for another wheelmill that builds this cell";
        let held = self.course.hold(&self.folder, waiting, log)?;
        // The lock of a killed program is free before its containers have ended. What these still
        // write could be taken for whole, or get into the new source.
        if self.folder.is_used()? {
            let AttemptContext { mill, cancel, .. } = *self.course.context;
            mill.engine.vacate(self.folder.root(), cancel)?;
        }
        Ok(held)
    }

    fn all(&mut self, log: &mut CellLog<'_>) -> Result<Done, Stop> {
        let Ready { lock, foundation, environment, .. } = self.make_ready(false, log)?;
        let key = self.key(&lock, &environment)?;
        let held = self.course.context.store.wheel_for(&key).map_err(Stop::store)?;
        if let Some(wheel) = &held
            && lock::is_judged_by(&wheel.verdict, self.recipe())
        {
            return Ok(Done::Stored(wheel.clone().into()));
        }
        if let Some(wheel) = held {
            return self.judge_again(&wheel, &lock, &foundation, log);
        }
        let prepared = self.prepare(&environment, log)?;

        self.course.begin(Phase::Compile, log)?;
        self.carry_over(&key, log)?;
        let compiled = self.compile(&lock, &prepared, log);
        match compiled {
            Err(Stop::Cell(error)) if self.resumed && self.came_nowhere(&error) => {
                self.course.tell(
                    log,
                    "with the objects of the last attempt the build fails before it compiles \
                     anything; it starts anew",
                );
                log.begin_section();
                Leftover(&self.folder).forget()?;
                self.bring_source(&lock.source, &foundation, log)?;
                self.carry_over(&key, log)?;
                self.compile(&lock, &prepared, log)?;
            }
            compiled => compiled?,
        }

        self.course.begin(Phase::Repair, log)?;
        let (wheel, unrepaired) = self.finish(&lock, &prepared, log)?;

        self.course.begin(Phase::Verify, log)?;
        let verdict = self.judge(&wheel, unrepaired.as_deref(), &lock, &foundation, log)?;

        self.course.begin(Phase::Store, log)?;
        let stored = self.store(&wheel, key, &lock, &verdict)?;
        Ok(Done::Built(stored.into(), (&verdict).into()))
    }

    /// Judges a stored wheel by the tests that the recipe has now.
    fn judge_again(
        &mut self,
        wheel: &StoredWheel,
        lock: &Lock,
        foundation: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Done, Stop> {
        self.course.begin(Phase::Verify, log)?;
        self.course.tell(log, "the recipe's tests have changed since the stored wheel was judged");
        let path = self.folder.fresh("wheel")?.join(wheel.file_name.as_str());
        fs_err::copy(&wheel.path, &path)?;
        let unrepaired = Verdict::not_repaired(&wheel.verdict);
        let verdict = self.judge(&path, unrepaired, lock, foundation, log)?;
        let verdict = lock::judged_by(&verdict, self.recipe());
        let store = self.course.context.store;
        let judged = store.set_verdict(&wheel.key, &verdict).map_err(Stop::store)?;
        Ok(Done::Stored(judged.into()))
    }

    /// Everything up to the environment: the base, the source, and what both resolve to. With
    /// `resume`, a source that is there is taken as it is.
    fn make_ready(&mut self, resume: bool, log: &mut CellLog<'_>) -> Result<Ready, Stop> {
        let (version, source) = self.pinned.take().expect("an attempt goes its way once");
        self.course.begin(Phase::Preflight, log)?;
        self.course.record("checks", &json!(self.course.context.checks))?;
        self.require(log)?;

        self.course.begin(Phase::Fetch, log)?;
        let base = self.base(log)?;
        let composer = self.composer(&base);
        self.bring_uv()?;
        let foundation = self.prepare(&composer.foundation(), log)?;
        let used = resume && self.ground.lock.is_some() && self.folder.path("src").is_dir();
        let source = if used {
            self.course.tell(log, "taking the source as it was left");
            source
        } else {
            self.bring_source(&source, &foundation, log)?
        };

        self.course.begin(Phase::Environment, log)?;
        let lock = self.lock(&composer, version, source, &foundation, log)?;
        let environment = composer.environment(&lock.requirements);
        composer.write_lists(&lock.requirements)?;
        Ok(Ready { lock, foundation, environment, used })
    }

    pub(super) fn recipe(&self) -> &'a Recipe {
        &self.cell.recipe
    }

    fn base(&self, log: &mut CellLog<'_>) -> Result<Base, Stop> {
        if let Some(lock) = &self.ground.lock {
            return Ok(lock.base.clone());
        }
        if !matches!(self.ground.base, Base::Host { .. }) {
            self.course.tell(log, &format!("asking for {}", self.ground.base));
        }
        Ok(self.course.context.mill.engine.pin(&self.ground.base)?)
    }

    pub(super) fn composer<'b>(&self, base: &'b Base) -> Composer<'b>
    where
        'a: 'b,
    {
        let (cell, ground): (&'a RecipeCell, &'a Ground) = (self.cell, self.ground);
        let context: &'a AttemptContext<'a> = self.course.context;
        context.mill.composer(&cell.cell, &cell.recipe, ground, base)
    }

    fn bring_uv(&self) -> Result<(), Stop> {
        let AttemptContext { mill, client, index, cancel, .. } = *self.course.context;
        let mut progress = self.download("uv");
        UV.ensure(client, index, mill.host.machine, &mill.settings.cache, &mut progress, cancel)?;
        fs_err::create_dir_all(mill.settings.cache.join("uv/cache"))?;
        Ok(())
    }

    pub(super) fn download(&self, what: &str) -> impl FnMut(u64, Option<u64>) {
        let (cell, what) = (self.course.cell.to_owned(), what.to_owned());
        move |done, total| {
            let (cell, what) = (cell.clone(), what.clone());
            self.course.context.reporter.report(&Event::Download { cell, what, done, total });
        }
    }

    fn bring_source(
        &self,
        source: &PinnedSource,
        foundation: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<PinnedSource, Stop> {
        let leftover = Leftover(&self.folder);
        if self.course.context.mill.settings.anew {
            leftover.forget()?;
        }
        leftover.set_aside()?;
        let folder = self.folder.path("src");
        let scratch = self.folder.fresh("scratch")?;
        let settings = &self.course.context.mill.settings;
        let context = SourceContext {
            client: self.course.context.client,
            network: &settings.network,
            cache: &settings.cache,
            engine: self.course.context.mill.engine.as_ref(),
            foundation,
            cancel: self.course.context.cancel,
        };
        let mut progress = self.download("source");
        let source = bring(&context, source, self.recipe(), &folder, &scratch, log, &mut progress)?;
        self.course.record("source", &json!(source))?;
        Ok(source)
    }

    /// What the cell resolved to: found in the store, or solved now and kept there.
    fn lock(
        &self,
        composer: &Composer<'_>,
        version: Option<Version>,
        source: PinnedSource,
        foundation: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Lock, Stop> {
        if let Some(lock) = &self.ground.lock {
            return Ok((**lock).clone());
        }
        self.course.tell(log, "resolving versions");
        let AttemptContext { mill, store, cancel, .. } = *self.course.context;
        let mut requirements = composer.toolchain.requirements.clone();
        let root = self.folder.path("src");
        let declared = match &self.recipe().subdirectory {
            Some(subdirectory) => declared_requirements(&root.join(subdirectory)),
            None => declared_requirements(&root),
        };
        requirements.extend(declared);
        let versioned = Cell { version: version.clone(), ..self.cell.cell.clone() };
        requirements.extend(self.recipe().requirements(&versioned));
        let scratch = self.folder.fresh("scratch")?;
        let engine = mill.engine.as_ref();
        let requirements =
            resolve(composer, &requirements, engine, foundation, &scratch, log, cancel)?;
        let lock = Lock { version, source, base: composer.base.clone(), requirements };
        let text = serde_json::to_string(&lock).expect("a lock is plain data");
        store.put_lock(&self.ground.request, &text).map_err(Stop::store)?;
        Ok(lock)
    }

    fn key(&self, lock: &Lock, environment: &Environment) -> Result<CellKey, Stop> {
        let digest = self.course.context.mill.engine.digest(environment)?;
        let recipe = &self.ground.recipe_digest;
        let key = lock::key(recipe, self.recipe(), &self.cell.cell, lock, &digest);
        self.course.set_key(&key)?;
        Ok(key)
    }

    fn prepare(&self, environment: &Environment, log: &mut CellLog<'_>) -> Result<Prepared, Stop> {
        let mut listener =
            Listener { reporter: self.course.context.reporter, cell: self.course.cell, log };
        let engine = &self.course.context.mill.engine;
        Ok(engine.prepare(environment, &mut listener, self.course.context.cancel)?)
    }

    /// Takes over what the last attempt at this very key has compiled.
    fn carry_over(&mut self, key: &CellKey, log: &mut CellLog<'_>) -> Result<(), Stop> {
        let carried = Leftover(&self.folder).carry_over(key)?;
        self.resumed = carried.objects > 0;
        if self.resumed {
            self.course.tell(
                log,
                &format!(
                    "going on from the last attempt: {carried}; `wheelmill clean --work` starts anew"
                ),
            );
            self.course.record("resumed", &json!(carried))?;
        }
        Ok(())
    }

    /// Whether the objects of an earlier attempt may be why this one failed: it compiled all, or
    /// nobody knows what it compiled.
    fn is_suspect(&self) -> bool {
        self.resumed && (self.course.phase != Phase::Compile || self.compiled.is_none())
    }

    /// Whether a build failed without having started one compiler. A folder that is there already
    /// is in the way of some build scripts.
    fn came_nowhere(&self, error: &CellError) -> bool {
        matches!(error, CellError::Build(exit) if !exit.cancelled)
            && self.compiled.as_ref().is_some_and(Compiled::is_none)
    }

    fn compile(
        &mut self,
        lock: &Lock,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<(), Stop> {
        let gate = self.open_gate()?;
        let mut exit = self.run_build(gate, lock, prepared, log)?;
        if self.compiled.as_ref().is_some_and(|compiled| compiled.is_unreachable(&exit)) {
            // Nothing has begun: compilers that nobody admits must be fewer.
            self.go_without_gate(&GateError::Unreachable(self.course.context.mill.engine.kind()));
            exit = self.run_build(None, lock, prepared, log)?;
        }
        self.measured = Measured {
            peak: exit.peak_memory,
            exit_code: Some(exit.code),
            compiles: log.progress().and_then(|(_, total)| u32::try_from(total).ok()),
            ..Measured::default()
        };
        if let Some(compiled) = &self.compiled {
            let dearest = dearest(&compiled.records);
            compiled.lines(&dearest).iter().for_each(|line| log.note(line));
            self.measured.dearest = dearest.into_iter().cloned().collect();
            self.measured.cache = CacheCount::of(&compiled.records);
        }
        if let Some(count) = self.measured.cache {
            log.note(&format!("compile cache: {count}"));
        }
        self.course.record("exit", &ended(&exit))?;
        // A log that has holes would lead every later look astray.
        if let Some(error) = log.take_error() {
            return Err(error.into());
        }
        if exit.success() { Ok(()) } else { Err(CellError::Build(Box::new(exit)).into()) }
    }

    /// Runs the build's own command, behind the gate where there is one.
    fn run_build(
        &mut self,
        gate: Option<OpenGate<'_>>,
        lock: &Lock,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Exit, Stop> {
        self.folder.fresh("out")?;
        self.folder.fresh("home")?;
        let mut container = self.container(lock, prepared, log)?;
        let mut cache = None;
        if let Some(gate) = &gate {
            cache = self.compile_cache(prepared, log)?;
            gate.stand_before(&mut container, cache.as_ref());
            // The gate knows how many threads there are for each nvcc.
            let threads = &self.recipe().jobs.nvcc_threads;
            container.environment.retain(|(name, _)| Some(name) != threads.as_ref());
        }
        let engine = &self.course.context.mill.engine;
        self.course.record(
            "command",
            &json!({ "command": container.command, "jobs": self.budget.jobs }),
        )?;
        let mut run =
            || self.course.in_time(|cancel| engine.run(prepared, &container, log, cancel));
        let (exit, compiled) = match gate {
            Some(gate) => {
                let mut unkept = None;
                let (exit, compiled) = gate.watch(self.course.on_gate_news(&mut unkept), run);
                unkept.map_or(Ok(()), |error| Err(Stop::store(error)))?;
                (exit, Some(compiled))
            }
            None => (run(), None),
        };
        self.compiled = compiled;
        self.leave_cache(cache);
        exit
    }

    /// Opens the gate for this build. Without it, the machine is divided by what compilers are said
    /// to take.
    fn open_gate(&mut self) -> Result<Option<OpenGate<'a>>, Stop> {
        let Some(gate) = self.course.context.gate else { return Ok(None) };
        let folder = self.folder.fresh("gate")?;
        match gate.open(self.course.cell, &self.cell.cell.package, !self.resumed, folder) {
            Ok(gate) => Ok(Some(gate)),
            Err(error) => {
                self.go_without_gate(&error);
                Ok(None)
            }
        }
    }

    fn go_without_gate(&mut self, error: &GateError) {
        let context = self.course.context;
        context.reporter.report(&without_gate(Some(self.course.cell), error));
        self.budget = compile::budget(context, self.recipe().jobs.memory);
    }

    /// Ends here, before anything is fetched for it, what is to have GPUs and needs another driver.
    fn require(&self, log: &mut CellLog<'_>) -> Result<(), Stop> {
        let mill = self.course.context.mill;
        let variables = self.recipe().environment(&self.cell.cell, self.budget.jobs);
        let Some(wanted) = Wanted::by_recipe(&mill.settings.gpus, &variables) else {
            return Ok(());
        };
        let driver = mill.driver().for_requirements();
        if let Some(sight) = need(&driver, variables, self.cell.cell.cuda) {
            self.course.tell_of_gpus(&sight, log)?;
            wanted.settle(sight)?;
        }
        Ok(())
    }

    /// The container that builds the cell, with the GPUs that it can have.
    fn container(
        &self,
        lock: &Lock,
        prepared: &Prepared,
        log: &mut CellLog<'_>,
    ) -> Result<Container, Stop> {
        let [source, output, home] = ["src", "out", "home"].map(|name| self.folder.path(name));
        let mut container = compile::container(
            &lock.versioned(&self.cell.cell),
            self.recipe(),
            &self.ground.toolchain,
            &prepared.environment,
            Folders { source: &source, output: &output, home: &home },
            self.budget,
            &self.course.context.mill.settings.network,
        );
        let AttemptContext { mill, cancel, .. } = *self.course.context;
        let wish = &mill.settings.gpus;
        if let Some(wanted) = Wanted::by_recipe(wish, &container.environment) {
            require_driver(&mut container.environment, self.cell.cell.cuda);
            let variables = &container.environment;
            // What the container sets counts more than what its base does.
            let all = pairs(&prepared.environment).chain(pairs(variables));
            let look = |gpus: &Gpus| mill.engine.look_for_gpus(prepared, gpus, variables, cancel);
            container.gpus = self.course.grant(wanted, all, look, log)?;
        }
        Ok(container)
    }

    fn store(
        &self,
        wheel: &Utf8Path,
        key: CellKey,
        lock: &Lock,
        verdict: &Verdict,
    ) -> Result<StoredWheel, Stop> {
        let new = NewWheel {
            key,
            cell: self.course.cell.to_owned(),
            spec: spec(&lock.versioned(&self.cell.cell)),
            verdict: lock::judged_by(verdict, self.recipe()),
            passed: verdict.passed,
            run: self.course.run().clone(),
        };
        let added = self.course.context.store.add_wheel(wheel, &new);
        let added = added.map_err(|source| Stop::NotKept(wheel.to_owned(), Box::new(source)))?;
        Ok(added.wheel)
    }
}
