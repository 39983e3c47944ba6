//! Why a build by an image failed, and what to change in the image.

use wheelmill_engine::{EngineError, Limits};
use wheelmill_model::Phase;
use wheelmill_recipe::LayoutCell;

use super::look::InstallerError;
use crate::build::compile::MEMORY_PER_COMPILE;
use crate::build::failure::CellError;
use crate::build::judge::JudgeError;
use crate::build::log::CellLog;
use crate::diagnose::{Cause, Evidence, Failure, diagnose};
use crate::layout::{BUILDS, INSTALLER_LABEL, daemon_fix};

/// What is known of the work that failed.
pub(super) struct ImageEvidence<'a> {
    pub(super) cell: &'a LayoutCell,
    pub(super) phase: Phase,
    pub(super) limits: Limits,
    pub(super) jobs: usize,
    pub(super) options: &'a [(String, String)],
}

/// The failure of a cell.
pub(super) fn failure(
    error: &CellError,
    evidence: &ImageEvidence<'_>,
    log: &mut CellLog<'_>,
) -> Failure {
    let ImageEvidence { cell, phase, limits, jobs, options } = *evidence;
    let known = known(error, cell).or_else(|| error.named(&cell.package, None));
    if let Some((cause, fixes)) = known {
        return Failure {
            cause,
            phase,
            message: error.message(),
            fixes,
            lines: error.evidence(),
            log: Some(log.path().to_owned()),
        };
    }
    let tail = log.tail();
    let found = diagnose(&Evidence {
        phase,
        exit: error.exit(),
        log: Some(log.path()),
        tail: &tail,
        memory_limit: limits.memory,
        compile_memory: MEMORY_PER_COMPILE,
        jobs,
        network: cell.network,
        cuda: cell.cuda,
        torch: None,
        python: None,
        source: None,
        subdirectory: None,
        imports: &[],
        options,
        package: &cell.package,
        version: None,
        architectures: None,
    });
    // Other fixes are changes of a recipe, which has no say here.
    let holds = matches!(found.cause, Cause::OutOfMemory | Cause::DiskFull | Cause::NoNetwork);
    let fixes = if holds { found.fixes } else { vec![change(cell)] };
    Failure { fixes, ..found }
}

/// The causes that only builds of this kind have, and those that mean something else for them.
fn known(error: &CellError, cell: &LayoutCell) -> Option<(Cause, Vec<String>)> {
    Some(match error {
        CellError::Engine(EngineError::Image { reason, .. }) if is_base_missing(reason) => (
            Cause::BaseUnusable,
            vec![format!("check what stands behind `FROM` in `{}`", cell.dockerfile)],
        ),
        CellError::Engine(EngineError::Image { .. }) => {
            (Cause::BuildFailed, vec![format!("correct `{}`", cell.dockerfile)])
        }
        CellError::Engine(EngineError::Unable { fix, .. }) => {
            (Cause::EngineGone, vec![daemon_fix(fix)])
        }
        CellError::Installer(InstallerError::Look(_)) => (
            Cause::NoInstaller,
            vec![format!(
                "the image must have `sh`, `find`, `sed` and `stat`: `docker run --rm -it {} sh`",
                cell.image
            )],
        ),
        CellError::Installer(_) => (
            Cause::NoInstaller,
            vec![format!(
                "name the one that is meant in `{}`: `LABEL {INSTALLER_LABEL}=/opt/some/path/installer.sh`",
                cell.dockerfile
            )],
        ),
        CellError::Judge(JudgeError::NoWheel) => (
            Cause::NoWheel,
            vec![format!(
                "have the installer leave its wheels in `{BUILDS}`; one that lay there before and was not written anew is none of this build"
            )],
        ),
        _ => return None,
    })
}

/// Whether a builder says that it cannot have the image that a Dockerfile begins with.
fn is_base_missing(reason: &str) -> bool {
    [
        "pull access denied",
        "manifest",
        "repository does not exist",
        "initializing source",
        "resolve",
    ]
    .iter()
    .any(|sign| reason.contains(sign))
}

fn change(cell: &LayoutCell) -> String {
    format!(
        "correct `{}` or what it copies from `{}`; to look around: `docker run --rm -it {} bash`",
        cell.dockerfile, cell.context, cell.image
    )
}
