//! Why a build by an image failed, and what to change in the image.

use wheelmill_engine::{EngineError, EngineKind, Limits};
use wheelmill_model::Phase;
use wheelmill_recipe::LayoutCell;

use super::look::InstallerError;
use crate::build::compile::MEMORY_PER_COMPILE;
use crate::build::failure::{CellError, daemon_disk};
use crate::build::judge::JudgeError;
use crate::build::log::CellLog;
use crate::diagnose::{Cause, Evidence, Failure, diagnose, is_killed};
use crate::layout::{BUILDS, INSTALLER_LABEL, daemon_fix};

/// What is known of the work that failed.
pub(super) struct ImageEvidence<'a> {
    pub(super) cell: &'a LayoutCell,
    pub(super) phase: Phase,
    pub(super) limits: Limits,
    pub(super) jobs: usize,
    pub(super) options: &'a [(String, String)],
    pub(super) engine: EngineKind,
}

/// The failure of a cell.
pub(super) fn failure(
    error: &CellError,
    evidence: &ImageEvidence<'_>,
    log: &mut CellLog<'_>,
) -> Failure {
    let ImageEvidence { cell, phase, limits, jobs, options, engine } = *evidence;
    let known = known(error, cell, engine).or_else(|| error.named(&cell.package, None));
    if let Some(known) = known {
        return error.told(known, phase, log);
    }
    let tail = log.tail();
    if let Some((message, fix)) = shell_says(error, &tail, cell) {
        let log = Some(log.path().to_owned());
        let fixes = vec![fix];
        return Failure {
            cause: Cause::NoInstaller,
            phase,
            message,
            fixes,
            lines: Vec::new(),
            log,
        };
    }
    let found = diagnose(&Evidence {
        phase,
        exit: error.exit(),
        log: Some(log.path()),
        tail: &tail,
        memory_limit: limits.memory,
        admitted: None,
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
    let is_killed = error.exit().is_some_and(|exit| is_killed(exit.code));
    // Other fixes are changes of a recipe, which has no say here.
    let fixes = match found.cause {
        Cause::DiskFull => daemon_disk(engine),
        Cause::OutOfMemory | Cause::NoNetwork => found.fixes,
        Cause::NetworkWhileCompiling => vec![format!(
            "let it reach the network: `network = true` under `[layout.{}]` of wheelmill.toml",
            cell.name
        )],
        _ if is_killed => found.fixes,
        // An image whose instruction failed is not there.
        _ if phase == Phase::Environment => vec![change(cell)],
        _ => vec![change(cell), look_around(cell, engine)],
    };
    Failure { fixes, ..found }
}

/// The causes that only builds of this kind have, and those that mean something else for them.
fn known(error: &CellError, cell: &LayoutCell, engine: EngineKind) -> Option<(Cause, Vec<String>)> {
    Some(match error {
        CellError::Engine(EngineError::Build { reason, .. }) if is_base_missing(reason) => (
            Cause::BaseUnusable,
            vec![format!("check what stands behind `FROM` in `{}`", cell.dockerfile)],
        ),
        CellError::Engine(EngineError::Build { reason, .. }) if is_network_missing(reason) => {
            (Cause::NoNetwork, vec![
                format!("if it is an image behind `FROM` that this machine should have, correct its name: `{engine} images`"),
                "else see whether this machine reaches that address; proxies are taken from the variables `HTTPS_PROXY` and `HTTP_PROXY`".to_owned(),
            ])
        }
        CellError::Engine(EngineError::Build { reason, .. }) if needs_buildkit(reason) => {
            (Cause::BuildFailed, vec![
                format!("install Docker's client with buildx (`docker buildx version`): where it is there, `{}` is built with BuildKit", cell.dockerfile),
                "or build with Podman, which knows most of it: `--engine podman`".to_owned(),
            ])
        }
        CellError::Engine(EngineError::Build { .. }) => {
            (Cause::BuildFailed, vec![format!("correct `{}`", cell.dockerfile)])
        }
        CellError::Engine(EngineError::Daemon { message, .. }) if is_about_image(message) => (
            Cause::NoInstaller,
            vec![format!(
                "the image must have `sh`, `bash`, `find`, `sed`, `stat` and the user that `{}` names",
                cell.dockerfile
            )],
        ),
        CellError::Engine(EngineError::ContextChanged { .. }) => (
            Cause::ContextChanged,
            vec!["plan again, with what is there now: run the command again".to_owned()],
        ),
        CellError::Engine(EngineError::Unable { fix, .. }) => {
            (Cause::EngineGone, vec![daemon_fix(fix)])
        }
        CellError::Installer(InstallerError::Look(_)) => (
            Cause::NoInstaller,
            vec![format!(
                "the image must have `sh`, `find`, `sed` and `stat`: `{engine} run --rm -it {} sh`",
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
        CellError::TimedOut(_) => (
            Cause::TimedOut,
            vec![
                look_around(cell, engine),
                "or give it more time with `--timeout`".to_owned(),
            ],
        ),
        CellError::Judge(JudgeError::Unreadable { .. }) => (
            Cause::VerdictFailed,
            vec![format!(
                "have the installer write whole wheels into `{BUILDS}`, or remove this one from the volume {}",
                cell.volume
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

/// What the shell that should start the installer has against it, and what to do.
fn shell_says(error: &CellError, tail: &[String], cell: &LayoutCell) -> Option<(String, String)> {
    error.exit().filter(|exit| matches!(exit.code, 1 | 126 | 127))?;
    let dockerfile = &cell.dockerfile;
    let named_by = match &cell.script {
        Some(_) => format!("`script` under `[layout.{}]` of wheelmill.toml", cell.name),
        None => format!("the label `{INSTALLER_LABEL}` in `{dockerfile}`"),
    };
    let fixes = [
        ("this image has no file ", format!("correct {named_by}, which names it")),
        ("this image has no bash", format!("install bash in `{dockerfile}`")),
        (
            "the lines of ",
            "write it anew with the line ends of Unix: `sed -i 's/\\r$//' FILE`".into(),
        ),
        (
            "could not activate the conda environment",
            format!(
                "make the environment in `{dockerfile}`, or name another: `conda-env` under \
                 `[layout.{}]` of wheelmill.toml",
                cell.name
            ),
        ),
    ];
    let own = |line: &String| {
        let said = line.strip_prefix("wheelmill: ")?;
        let (_, fix) = fixes.iter().find(|(start, _)| said.starts_with(start))?;
        Some((said.to_owned(), fix.clone()))
    };
    tail.iter().rev().find_map(own)
}

/// Whether a builder says that it cannot have the image that a Dockerfile begins with.
fn is_base_missing(reason: &str) -> bool {
    !is_network_missing(reason)
        && [
            "pull access denied",
            "manifest unknown",
            "manifest for ",
            "reading manifest",
            "repository does not exist",
            "did not resolve to an alias",
            "initializing source",
            "creating build container",
        ]
        .iter()
        .any(|sign| reason.contains(sign))
}

/// Whether a builder says that it does not reach an address.
fn is_network_missing(reason: &str) -> bool {
    [
        "dial tcp",
        "no such host",
        "connection refused",
        "i/o timeout",
        "Client.Timeout exceeded",
        "network is unreachable",
        "TLS handshake timeout",
        "x509:",
    ]
    .iter()
    .any(|sign| reason.contains(sign))
}

/// Whether Docker's classic builder says that a Dockerfile is written for its successor.
fn needs_buildkit(reason: &str) -> bool {
    reason.contains("requires BuildKit")
}

/// Whether a daemon cannot start a container for want of something in the image.
fn is_about_image(message: &str) -> bool {
    ["executable file not found", "no such file or directory: unknown", "unable to find user"]
        .iter()
        .any(|sign| message.contains(sign))
}

fn change(cell: &LayoutCell) -> String {
    format!("correct `{}` or what it copies from `{}`", cell.dockerfile, cell.context)
}

fn look_around(cell: &LayoutCell, engine: EngineKind) -> String {
    format!(
        "look around in what the build left: `wheelmill shell {} --cuda {} --engine {engine}`",
        cell.name, cell.cuda
    )
}
