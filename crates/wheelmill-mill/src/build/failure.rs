//! Turns what stopped a cell into a failure that a person can act on.

use std::error::Error;

use wheelmill_engine::{EngineError, EngineKind, Exit};
use wheelmill_model::{PackageName, Phase, TimeLimit};
use wheelmill_recipe::{Cell, Recipe};
use wheelmill_wheel::{FinishError, Severity, Verdict};

use super::compile::{Budget, MEMORY_PER_COMPILE};
use super::finish::RepairError;
use super::image::InstallerError;
use super::judge::JudgeError;
use super::log::CellLog;
use super::source::SourceError;
use crate::diagnose::{Admitted, Cause, Evidence, Failure, diagnose};
use crate::environment::ResolveError;
use crate::fetch::{FetchError, PinError};
use crate::preflight::base_hint;

/// What stops a cell.
#[derive(Debug, thiserror::Error)]
pub(super) enum CellError {
    #[error("could not fetch what the build needs")]
    Fetch(#[from] FetchError),
    #[error("could not pin the source")]
    Pin(#[from] PinError),
    #[error("the source is not in place")]
    Source(#[from] SourceError),
    #[error("the requirements could not be resolved")]
    Resolve(#[from] ResolveError),
    #[error("the environment could not be made")]
    Engine(#[from] EngineError),
    #[error("the installer was not found")]
    Installer(#[from] InstallerError),
    #[error("the GPUs `{devices}` that the build asks for are not to be had: {why}")]
    NoGpu { devices: String, why: String, fix: String },
    #[error("the build was not done after {0}, and was ended")]
    TimedOut(TimeLimit),
    #[error("the build failed")]
    Build(Box<Exit>),
    #[error("the wheel could not be finished")]
    Repair(#[from] RepairError),
    #[error("there is no good wheel")]
    Judge(#[from] JudgeError),
    #[error("the wheel would fail its users")]
    Verdict(Box<Verdict>),
    #[error("the wheel cannot be imported")]
    Import(Box<Exit>),
    #[error("a folder could not be used")]
    Files(#[from] std::io::Error),
}

impl CellError {
    /// Whether the user stopped it.
    pub(super) fn is_cancelled(&self) -> bool {
        let engine = match self {
            Self::Engine(error)
            | Self::Source(SourceError::Engine(error))
            | Self::Resolve(ResolveError::Engine(error))
            | Self::Repair(RepairError::Engine(error))
            | Self::Judge(JudgeError::Engine(error)) => Some(error),
            _ => None,
        };
        matches!(engine, Some(EngineError::Cancelled))
            || matches!(
                self,
                Self::Fetch(FetchError::Cancelled)
                    | Self::Source(SourceError::Fetch(FetchError::Cancelled))
            )
            || matches!(self, Self::Build(exit) | Self::Import(exit) if exit.cancelled)
    }

    /// How a command of ours or of the build ended, when that is what failed.
    pub(super) fn exit(&self) -> Option<&Exit> {
        match self {
            Self::Build(exit)
            | Self::Import(exit)
            | Self::Repair(RepairError::Broke(exit))
            | Self::Source(SourceError::Clone { exit, .. } | SourceError::Patch { exit, .. })
            | Self::Resolve(ResolveError::Unsolvable(exit)) => Some(exit),
            Self::Engine(EngineError::Step { exit, .. }) => Some(exit),
            _ => None,
        }
    }

    /// The cause where the error itself tells it, with what to do: in the recipe, where one builds
    /// the package.
    pub(super) fn named(
        &self,
        package: &PackageName,
        recipe: Option<&Recipe>,
    ) -> Option<(Cause, Vec<String>)> {
        Some(match self {
            Self::Fetch(error) | Self::Source(SourceError::Fetch(error)) => match error {
                FetchError::HashMismatch { .. } => (
                    Cause::HashMismatch,
                    vec!["run it again with `--refresh`; if the hash differs again, ask who runs the index".to_owned()],
                ),
                FetchError::Write { source, .. } if is_full(source) => (Cause::DiskFull, disk()),
                FetchError::Write { .. } => (
                    Cause::BuildFailed,
                    vec!["choose another folder with WHEELMILL_CACHE".to_owned()],
                ),
                FetchError::NotFound { .. } => (
                    Cause::UnknownPackage,
                    vec!["resolve it anew with `--refresh`".to_owned()],
                ),
                _ => (Cause::NoNetwork, vec![error.hint().to_owned()]),
            },
            Self::Source(SourceError::Copy { source, .. }) if is_full(source) => {
                (Cause::DiskFull, disk())
            }
            Self::Repair(RepairError::Finish(FinishError::Write { source, .. }))
                if is_full(source) =>
            {
                (Cause::DiskFull, disk())
            }
            Self::Repair(RepairError::Finish(error)) => {
                (Cause::RepairFailed, vec![unfinished(error, package)])
            }
            Self::Files(source) if is_full(source) => (Cause::DiskFull, disk()),
            Self::Engine(EngineError::Files { source, .. }) if is_full(source) => {
                (Cause::DiskFull, disk())
            }
            Self::TimedOut(_) => (
                Cause::TimedOut,
                vec![
                    "see how far it came: `wheelmill runs logs`".to_owned(),
                    "give it more time with `--timeout`, or the build more with `--memory` and `--cpus`".to_owned(),
                ],
            ),
            Self::NoGpu { fix, .. } => (
                Cause::NoGpu,
                vec![fix.clone(), "or build without one: `--gpus none`".to_owned()],
            ),
            Self::Engine(EngineError::DaemonDiskFull { kind }) => {
                (Cause::DiskFull, daemon_disk(*kind))
            }
            Self::Engine(EngineError::Unable { fix, .. }) => (Cause::EngineGone, vec![fix.clone()]),
            Self::Engine(EngineError::Daemon { kind, .. }) => (
                Cause::EngineGone,
                vec![format!("see what {kind} says of itself: `{kind} info`")],
            ),
            Self::Engine(error @ (EngineError::Image { .. } | EngineError::Unreachable { .. })) => {
                let cause = match error {
                    EngineError::Image { .. } => Cause::BaseUnusable,
                    _ => Cause::NoNetwork,
                };
                (cause, vec![base_hint(error).to_owned()])
            }
            Self::Engine(
                EngineError::Start { .. } | EngineError::NotPinned(_) | EngineError::Build { .. },
            )
            | Self::Source(SourceError::Engine(_))
            | Self::Resolve(ResolveError::Engine(_))
            | Self::Repair(RepairError::Engine(_))
            | Self::Judge(JudgeError::Engine(_)) => {
                (Cause::EngineGone, vec![format!("see what works here with `wheelmill plan {package} --check`")])
            }
            Self::Judge(JudgeError::NoWheel) => (
                Cause::NoWheel,
                vec!["where the build leaves its wheel elsewhere, name the place in the recipe: `[build] outputs = \"dist/*.whl\"`".to_owned()],
            ),
            Self::Judge(JudgeError::SeveralWheels(_)) => (Cause::SeveralWheels, recipe.map(one_wheel).unwrap_or_default()),
            Self::Judge(JudgeError::Wheel(_)) => (
                Cause::VerdictFailed,
                vec![format!("let a build backend write the wheel, or see what `command` makes: `wheelmill recipes show {package}`")],
            ),
            Self::Verdict(verdict) => {
                let hints = errors(verdict).filter_map(|finding| finding.hint.clone()).collect();
                (Cause::VerdictFailed, hints)
            }
            _ => return None,
        })
    }

    /// The failure of a cause that the error itself tells.
    pub(super) fn told(
        &self,
        (cause, fixes): (Cause, Vec<String>),
        phase: Phase,
        log: &CellLog<'_>,
    ) -> Failure {
        Failure {
            cause,
            phase,
            message: self.message(),
            fixes,
            lines: self.evidence(),
            log: Some(log.path().to_owned()),
        }
    }

    fn message(&self) -> String {
        if let Self::Verdict(verdict) = self {
            let messages: Vec<&str> =
                errors(verdict).map(|finding| finding.message.as_str()).collect();
            return messages.join("; ");
        }
        let mut message = String::new();
        let mut next: Option<&dyn Error> = self.source();
        while let Some(error) = next {
            if !message.is_empty() {
                message.push_str(": ");
            }
            message.push_str(&error.to_string());
            next = error.source();
        }
        if message.is_empty() { self.to_string() } else { message }
    }

    fn evidence(&self) -> Vec<String> {
        match self {
            Self::Verdict(verdict) => errors(verdict)
                .flat_map(|finding| finding.evidence.iter().cloned())
                .take(8)
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// What to do about a wheel that could not be labelled and pinned.
fn unfinished(error: &FinishError, package: &PackageName) -> String {
    let table = format!("`[recipes.{package}.wheel]` of wheelmill.toml");
    match error {
        FinishError::Pin(_) => format!(
            "build it for a torch that it asks for, or correct its requirements with a patch; `pin-torch = false` in {table} leaves them as they are"
        ),
        FinishError::Label(_) => format!("correct `local-label` in {table}"),
        FinishError::Requirement(_) => format!("correct `requires` in {table}"),
        _ => format!("see what its build makes: `wheelmill recipes show {package}`"),
    }
}

/// How a build comes to leave one wheel.
fn one_wheel(recipe: &Recipe) -> Vec<String> {
    let table = format!("`[recipes.{}.build]` of wheelmill.toml", recipe.name);
    let narrower = recipe.build.outputs.as_ref().map(|outputs| {
        format!("name the one that is wanted alone: `outputs` in {table} is now `{outputs}`")
    });
    narrower
        .into_iter()
        .chain([
            format!("build only the one that is wanted: name it in `command` in {table}; `pip wheel` makes one of every dependency too, unless `--no-deps` is given"),
            format!("or remove the others at the end of `command` in {table}: `rm {{out}}/OTHER-*.whl`"),
        ])
        .collect()
}

fn errors(verdict: &Verdict) -> impl Iterator<Item = &wheelmill_wheel::Finding> {
    verdict.findings.iter().filter(|finding| finding.severity == Severity::Error)
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

fn disk() -> Vec<String> {
    vec![
        "free space on that disk, or choose another with WHEELMILL_HOME and WHEELMILL_CACHE"
            .to_owned(),
    ]
}

/// How to make room where a daemon keeps images and containers.
pub(super) fn daemon_disk(kind: EngineKind) -> Vec<String> {
    let root = match kind {
        EngineKind::Podman => "podman info --format '{{.Store.GraphRoot}}'",
        _ => "docker info --format '{{.DockerRootDir}}'",
    };
    vec![
        format!("see which disk it is, and what takes the room: `{root}`, `{kind} system df`"),
        "make room: `wheelmill clean --budget 50GB` removes what builds can make again".to_owned(),
    ]
}

/// What is known of the work that failed, beside its log.
#[derive(Clone, Copy)]
pub(super) struct WorkEvidence<'a> {
    pub(super) phase: Phase,
    pub(super) cell: &'a Cell,
    pub(super) budget: Budget,
    pub(super) network: bool,
    pub(super) recipe: &'a Recipe,
    pub(super) options: &'a [(String, String)],
    pub(super) engine: EngineKind,
    /// What became of the compilers, where the gate admitted them.
    pub(super) admitted: Option<Admitted<'a>>,
}

/// The failure of a cell. What the failed command printed is the end of the log.
pub(super) fn failure(error: &CellError, work: WorkEvidence<'_>, log: &mut CellLog<'_>) -> Failure {
    let WorkEvidence { phase, cell, budget, network, recipe, options, engine, admitted } = work;
    if let Some(named) = error.named(&cell.package, Some(recipe)) {
        return error.told(named, phase, log);
    }
    let tail = log.tail();
    let found = diagnose(&Evidence {
        phase,
        exit: error.exit(),
        log: Some(log.path()),
        tail: &tail,
        memory_limit: budget.limits.memory,
        compile_memory: recipe.jobs.memory.unwrap_or(MEMORY_PER_COMPILE),
        jobs: budget.jobs,
        admitted,
        network,
        cuda: cell.cuda,
        torch: cell.torch,
        python: Some(cell.python),
        source: Some(&recipe.source),
        subdirectory: recipe.subdirectory.as_deref(),
        imports: &recipe.test.imports,
        options,
        package: &cell.package,
        version: cell.version.as_ref(),
        architectures: Some(&cell.architectures),
    });
    if found.cause == Cause::DiskFull && engine != EngineKind::Embedded {
        // What does not lie in the store's work folder lies with the daemon.
        let fixes = found.fixes.into_iter().chain(daemon_disk(engine)).collect();
        return Failure { fixes, ..found };
    }
    found
}
