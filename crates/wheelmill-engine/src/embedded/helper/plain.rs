//! A container without namespaces: an ordinary process that gives up what it does not need.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::Uid;

use super::{capabilities, root};
use crate::Isolation;
use crate::embedded::spec::{During as _, Failure, Operation, RunRequest};

/// Devices that may be opened for writing, beside terminals and shared memory.
const DEVICES: [&str; 9] = [
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/shm",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
];

/// The newest rules that are wished for. A kernel that does not know all of them keeps those that
/// it knows.
const WISHED: ABI = ABI::V6;

/// Takes from this process, and all that it starts, what can be taken without namespaces.
pub(super) fn confine(request: &RunRequest) -> Result<(), Failure> {
    // Orphans stay below this process, where they are counted.
    prctl::set_child_subreaper(true).during(|| Operation::Capabilities)?;
    if Uid::effective().is_root() {
        match capabilities::give_up() {
            // A root that may not even give up capabilities has none that matter.
            Err(failure) if failure.errno == Errno::EPERM as i32 => {}
            result => result?,
        }
    }
    prctl::set_no_new_privs().during(|| Operation::Capabilities)?;
    if request.isolation == Isolation::Landlock {
        keep_to_files(request)?;
    }
    Ok(())
}

/// Leaves the system's files to read and execute, and what the container was given.
fn keep_to_files(request: &RunRequest) -> Result<(), Failure> {
    let failed = |errno| Failure { operation: Operation::Landlock, errno: errno as i32 };
    let status = restrict(request).map_err(|_| failed(Errno::EINVAL))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(failed(Errno::ENOSYS)),
    }
}

fn restrict(request: &RunRequest) -> Result<RestrictionStatus, RulesetError> {
    let given = |writable: bool| {
        let mounts = request.mounts.iter().filter(move |mount| mount.writable == writable);
        mounts.map(|mount| mount.source.as_std_path())
    };
    let system = system_files();
    let readable = system.iter().map(PathBuf::as_path).chain(given(false));
    let readable = readable.chain([request.stage.as_std_path()]);
    let own = request.temporary.iter().chain([&request.root.upper]);
    let writable =
        own.map(|path| path.as_std_path()).chain(DEVICES.map(Path::new)).chain(given(true));
    Ruleset::default()
        .handle_access(AccessFs::from_all(WISHED))?
        .scope(Scope::from_all(WISHED))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(WISHED)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(WISHED)))?
        .restrict_self()
}

/// What every program may read: the system's folders, but not where data of services lies.
fn system_files() -> Vec<PathBuf> {
    let folders = root::system_folders().unwrap_or_default().into_iter();
    let folders = folders.filter(|name| name != "var").map(|name| Path::new("/").join(name));
    // The list of name servers is often a link to elsewhere.
    let resolver = fs_err::canonicalize("/etc/resolv.conf").ok();
    folders.chain(["/dev", "/proc", "/sys"].map(PathBuf::from)).chain(resolver).collect()
}
