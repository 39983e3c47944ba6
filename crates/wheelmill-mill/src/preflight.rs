//! Cheap checks before anything heavy.

use camino::Utf8Path;
use serde::Serialize;
use wheelmill_engine::{Engine, EngineError, Severity};
use wheelmill_model::ByteSize;

use crate::fetch::{FetchError, Index, IndexError};

/// A toolchain with torch takes 10 GB (its layer and uv's cache); building beside it some more.
const DISK_FOR_ENVIRONMENT: ByteSize = ByteSize(14 << 30);
/// Where the environment is there already.
const DISK_FOR_BUILD: ByteSize = ByteSize(2 << 30);
/// Below this, one nvcc of a torch extension does not fit.
const MEMORY: ByteSize = ByteSize(2 << 30);

/// Below this nothing can be compiled: a number without its unit, most likely.
const LEAST_MEMORY: ByteSize = ByteSize(64 << 20);

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// It may go wrong.
    Warning,
    /// It will go wrong.
    Problem,
    /// It could not be found out.
    NotChecked,
}

/// One check of this machine.
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
    fn new(code: &'static str, state: CheckState, message: String, fix: Option<&str>) -> Self {
        Self { code, state, message, fix: fix.map(str::to_owned) }
    }
}

/// What the engine can do here.
pub(crate) fn engine(engine: &dyn Engine) -> Vec<Check> {
    let probe = engine.probe();
    let mut checks: Vec<Check> = probe
        .findings
        .into_iter()
        .map(|finding| Check {
            code: "engine",
            state: match finding.severity {
                Severity::Problem => CheckState::Problem,
                Severity::Warning => CheckState::Warning,
                Severity::Note => CheckState::Ok,
            },
            message: finding.message,
            fix: finding.fix,
        })
        .collect();
    let summary = format!("the {} engine works here: {}", probe.engine, probe.summary);
    if checks.iter().all(|check| check.state != CheckState::Problem) {
        checks.insert(0, Check::new("engine", CheckState::Ok, summary, None));
    }
    checks
}

/// Whether a folder's disk has room.
pub(crate) fn disk(folder: &Utf8Path, environment_is_there: bool) -> Check {
    let needed = if environment_is_there { DISK_FOR_BUILD } else { DISK_FOR_ENVIRONMENT };
    let there = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Utf8Path::new("/"));
    let free = match nix::sys::statvfs::statvfs(there.as_std_path()) {
        Ok(found) => ByteSize(found.blocks_available() * found.fragment_size()),
        Err(error) => {
            let message =
                format!("could not ask the disk of `{there}` for its free space: {error}");
            return Check::new("disk", CheckState::NotChecked, message, None);
        }
    };
    let message = format!("{free} free on the disk of `{folder}`, about {needed} needed");
    if free >= needed {
        Check::new("disk", CheckState::Ok, message, None)
    } else if free.0 >= needed.0 / 2 {
        Check::new("disk", CheckState::Warning, message, None)
    } else {
        let fix = "free some, or choose another disk with WHEELMILL_HOME and WHEELMILL_CACHE";
        Check::new("disk", CheckState::Problem, message, Some(fix))
    }
}

/// Whether the memory that a build may have is enough for one compiler.
pub(crate) fn memory(limit: Option<ByteSize>) -> Check {
    let Some(limit) = limit else {
        let message = "could not find out how much memory is free".to_owned();
        return Check::new("memory", CheckState::NotChecked, message, None);
    };
    let message = format!("{limit} of memory for the build");
    if limit >= MEMORY {
        Check::new("memory", CheckState::Ok, message, None)
    } else if limit < LEAST_MEMORY {
        let fix = "give more, with a unit, as in `--memory 16GB`";
        Check::new("memory", CheckState::Problem, message, Some(fix))
    } else {
        let message = format!("{message}; CUDA compilers take {MEMORY} and more");
        let fix = "stop other programs, or give more with `--memory`";
        Check::new("memory", CheckState::Warning, message, Some(fix))
    }
}

/// Whether the index answers: any page will do, and that there is none is an answer.
pub(crate) fn index(index: &Index<'_>) -> Check {
    let any = "packaging".parse().expect("a legal name");
    match index.releases(&any) {
        Ok(_) | Err(FetchError::NotFound { .. }) => {
            Check::new("index", CheckState::Ok, format!("{} answers", index.address()), None)
        }
        Err(reason) => {
            let error = IndexError { index: index.address(), reason };
            Check::new("index", CheckState::Problem, error.line(), Some(error.hint()))
        }
    }
}

/// What to do about a base that cannot be used.
pub(crate) const fn base_hint(error: &EngineError) -> &'static str {
    match error {
        EngineError::Unreachable { source: None, .. } => {
            "fetch it once without `--offline`, or name the file of an image: `--base ./image.tar`"
        }
        EngineError::Unreachable { .. } => {
            "check the network (HTTPS_PROXY, SSL_CERT_FILE), or name the file of an image, as `docker save` writes it: `--base ./image.tar`"
        }
        _ => {
            "check the name given with `--base`, as in `nvidia/cuda:12.8.1-devel-ubuntu22.04`, or name the file of an image, as `docker save` writes it"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_asked_through_the_nearest_folder_that_exists() {
        let check = disk(Utf8Path::new("/proc/no/such/folder"), true);
        assert_eq!((check.code, check.state), ("disk", CheckState::Problem), "{check:?}");
        assert!(check.fix.is_some());
    }

    #[test]
    fn unknown_memory_is_not_good_memory() {
        assert_eq!(memory(None).state, CheckState::NotChecked);
        assert_eq!(memory(Some(ByteSize(1 << 30))).state, CheckState::Warning);
        assert_eq!(memory(Some(ByteSize(16))).state, CheckState::Problem);
        assert_eq!(memory(Some(ByteSize(8 << 30))).state, CheckState::Ok);
    }
}
