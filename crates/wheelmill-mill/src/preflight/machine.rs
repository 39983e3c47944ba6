//! What this machine has: a working engine, disk, memory.

use camino::Utf8Path;
use nix::unistd::AccessFlags;
use wheelmill_engine::{Engine, Severity};
use wheelmill_model::{ByteSize, CheckState};

use super::Check;
use crate::layout::daemon_fix;

/// What a toolchain with torch takes: its layer and its share of uv's cache.
const DISK_FOR_ENVIRONMENT: u64 = 10 << 30;
/// What a toolchain without torch takes.
const DISK_FOR_PLAIN_ENVIRONMENT: u64 = 4 << 30;
/// What is needed beside new toolchains while they are made.
const DISK_BESIDE_ENVIRONMENTS: u64 = 4 << 30;
/// What a build needs where its toolchain is there already.
const DISK_FOR_BUILD: u64 = 2 << 30;
/// Below this, one nvcc of a torch extension does not fit.
const MEMORY: ByteSize = ByteSize(2 << 30);

/// Below this nothing can be compiled: a number without its unit, most likely.
const LEAST_MEMORY: ByteSize = ByteSize(64 << 20);

/// What the engine can do here.
pub(super) fn engine(engine: &dyn Engine) -> Vec<Check> {
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

/// The same, where images are to be built from Dockerfiles.
pub(super) fn builder(engine: &dyn Engine) -> Vec<Check> {
    if engine.builder().is_some() {
        let checks = self::engine(engine).into_iter();
        let fixed = |check: Check| Check { fix: check.fix.as_deref().map(daemon_fix), ..check };
        return checks.map(fixed).collect();
    }
    let message = format!(
        "the {} engine builds no images from Dockerfiles, and no daemon that does answers this user",
        engine.kind()
    );
    let fix = "start a daemon (`sudo systemctl start docker`, or `systemctl --user start \
               podman.socket`), or see why one does not answer: `--engine docker`";
    vec![Check::new("engine", CheckState::Problem, message, Some(fix))]
}

/// What keeps this user from writing into a folder, as it is or once it is made; `variable` chooses
/// another one.
pub(super) fn unwritable(folder: &Utf8Path, variable: &str) -> Option<Check> {
    let there = nearest(folder);
    let mode = AccessFlags::W_OK | AccessFlags::X_OK;
    let error = nix::unistd::access(there.as_std_path(), mode).err()?;
    let message = format!("`{folder}` cannot be written to: {}", std::io::Error::from(error));
    let fix = format!("choose another folder: set {variable}");
    Some(Check::new("folder", CheckState::Problem, message, Some(&fix)))
}

/// The folder itself, or the nearest above it that exists.
fn nearest(folder: &Utf8Path) -> &Utf8Path {
    folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Utf8Path::new("/"))
}

/// Whether a folder's disk has room for new environments, of each of which is told whether it has
/// torch.
pub(super) fn disk(folder: &Utf8Path, with_torch: &[bool]) -> Check {
    let environment = |&torch: &bool| match torch {
        true => DISK_FOR_ENVIRONMENT,
        false => DISK_FOR_PLAIN_ENVIRONMENT,
    };
    let needed = ByteSize(match with_torch {
        [] => DISK_FOR_BUILD,
        some => DISK_BESIDE_ENVIRONMENTS + some.iter().map(environment).sum::<u64>(),
    });
    let there = nearest(folder);
    let free = match nix::sys::statvfs::statvfs(there.as_std_path()) {
        Ok(found) => ByteSize(found.blocks_available() * found.fragment_size()),
        Err(error) => {
            let message =
                format!("could not ask the disk of `{there}` for its free space: {error}");
            return Check::new("disk", CheckState::NotChecked, message, None);
        }
    };
    let message = format!("{free} free on the disk of `{folder}`, about {needed} needed");
    let message = match with_torch.len() {
        0 | 1 => message,
        count => format!("{message} for {count} environments"),
    };
    if free >= needed {
        Check::new("disk", CheckState::Ok, message, None)
    } else if free.0 >= needed.0 / 2 {
        Check::new("disk", CheckState::Warning, message, None)
    } else {
        let fix = "free some, or choose another disk with WHEELMILL_HOME and WHEELMILL_CACHE";
        Check::new("disk", CheckState::Problem, message, Some(fix))
    }
}

/// Whether the memory that a build may have is enough for one compiler, at what the recipes say of
/// one, and not more than the machine has. `chosen` tells that the user set the limit.
pub(super) fn memory(
    limit: Option<ByteSize>,
    chosen: bool,
    per_compiler: Option<ByteSize>,
    machine: Option<ByteSize>,
) -> Check {
    let Some(limit) = limit else {
        let message = "could not find out how much memory is free".to_owned();
        return Check::new("memory", CheckState::NotChecked, message, None);
    };
    let needed = per_compiler.map_or(MEMORY, |needed| needed.max(MEMORY));
    let message = format!("{limit} of memory for the build");
    if limit < LEAST_MEMORY {
        let fix = "give more, with a unit, as in `--memory 16GB`";
        return Check::new("memory", CheckState::Problem, message, Some(fix));
    }
    if let Some(machine) = machine.filter(|machine| limit > *machine) {
        let message = format!("{message}, and this machine has {machine} in all");
        let fix = "leave `--memory` out to use what is free";
        return Check::new("memory", CheckState::Warning, message, Some(fix));
    }
    if limit < needed {
        let message = format!("{message}; CUDA compilers take {needed} and more");
        let fix = match chosen {
            true => "give more with `--memory`",
            false => "stop other programs, or give more with `--memory`",
        };
        return Check::new("memory", CheckState::Warning, message, Some(fix));
    }
    Check::new("memory", CheckState::Ok, message, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_asked_through_the_nearest_folder_that_exists() {
        let check = disk(Utf8Path::new("/proc/no/such/folder"), &[]);
        assert_eq!((check.code, check.state), ("disk", CheckState::Problem), "{check:?}");
        assert!(check.fix.is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named_with_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let below = path.join("not/yet/made");
        assert_eq!(unwritable(&below, "WHEELMILL_CACHE"), None);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
        fs_err::set_permissions(path, mode).unwrap();
        let check = unwritable(&below, "WHEELMILL_CACHE");
        // Root writes wherever the disk itself lets it.
        assert_eq!(check.is_none(), nix::unistd::geteuid().is_root(), "{check:?}");
        if let Some(Check { message, fix, .. }) = check {
            assert!(message.contains("not/yet/made` cannot be written to: Perm"), "{message}");
            assert_eq!(fix.unwrap(), "choose another folder: set WHEELMILL_CACHE");
        }
    }

    #[test]
    fn each_new_environment_needs_room() {
        let needed = |with_torch: &[bool]| disk(Utf8Path::new("/"), with_torch).message;
        let tells = |with_torch: &[bool], words: &str| {
            assert!(needed(with_torch).ends_with(words), "{}", needed(with_torch));
        };
        tells(&[], "about 2.0 GiB needed");
        tells(&[true], "about 14.0 GiB needed");
        tells(&[false], "about 8.0 GiB needed");
        tells(&[true, true, false], "about 28.0 GiB needed for 3 environments");
    }

    #[test]
    fn memory_is_enough_for_a_compiler_and_there() {
        let gib = |count: u64| Some(ByteSize(count << 30));
        let state = |limit, per_compiler| memory(limit, true, per_compiler, gib(24)).state;
        assert_eq!(state(None, None), CheckState::NotChecked, "unknown memory is not good memory");
        assert_eq!(state(gib(1), None), CheckState::Warning);
        assert_eq!(state(Some(ByteSize(16)), None), CheckState::Problem);
        assert_eq!(state(gib(8), None), CheckState::Ok);
        assert_eq!(state(gib(8), gib(9)), CheckState::Warning, "a recipe that wants more");
        assert_eq!(state(gib(900), None), CheckState::Warning, "more than the machine has");
    }
}
