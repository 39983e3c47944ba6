//! The first process of a container: makes the root, where it has one of its own, starts the command,
//! and reaps what others leave behind.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;

use camino::Utf8PathBuf;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, chdir, execve, pivot_root, setgroups, sethostname, setsid};

use super::mounts::Mounter;
use super::root::Stage;
use super::supervise::Report;
use super::{capabilities, links, network, plain, seccomp, sys};
use crate::embedded::spec::{During as _, Failure, Operation, RunRequest};

/// The `PATH` of a command that is given none.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a container to its end, in new namespaces; returns the exit code.
///
/// `go` gives one byte when the helper has mapped identities and set limits. When the helper dies
/// before, it gives none.
pub(super) fn run(request: &RunRequest, go: OwnedFd, report: OwnedFd) -> i32 {
    let mut report = Report::new(report);
    let started = prepare(request, go, &mut report)
        .and_then(|listener| Ok((listener, start(request, &mut report)?)));
    let (listener, child) = match started {
        Ok(started) => started,
        Err(failure) => {
            report.failed(&failure);
            return 1;
        }
    };
    // The command could otherwise find it under /proc and speak in our name.
    drop(report);
    loop {
        // The filter of links is for few; everybody else is waited for without looking up.
        let how = listener.as_ref().map(|listener| {
            links::answer_next(listener);
            WaitPidFlag::WNOHANG
        });
        match waitpid(None, how) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return code,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

/// Makes everything ready for the command. What comes back is to be given to `links`.
fn prepare(
    request: &RunRequest,
    go: OwnedFd,
    report: &mut Report,
) -> Result<Option<OwnedFd>, Failure> {
    prctl::set_pdeathsig(Signal::SIGKILL).during(|| Operation::Namespaces)?;
    // Only after this is a helper that died before the call above noticed.
    File::from(go).read_exact(&mut [0]).during(|| Operation::Namespaces)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).during(|| Operation::Limits)?;
    if request.isolation.has_namespaces() {
        enter_root(request, report)?;
        capabilities::give_up()?;
    } else {
        plain::confine(request)?;
    }
    // Nobody in the container may look into this process: it runs the host's program.
    prctl::set_dumpable(false).during(|| Operation::Capabilities)?;
    seccomp::filter(request)
}

/// Puts the container's root together and makes it the only one.
fn enter_root(request: &RunRequest, report: &mut Report) -> Result<(), Failure> {
    match setgroups(&[Gid::from_raw(0)]) {
        // With one identity it is forbidden: a group may be what denies somebody access.
        Err(Errno::EPERM) => {}
        result => result.during(|| Operation::MapIds)?,
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).during(|| Operation::Stage)?;
    sethostname(network::HOST_NAME).during(|| Operation::Namespaces)?;
    if !request.network {
        network::start_loopback()?;
    }
    let stage = Stage::new(&request.stage)?;
    stage.build(request)?;
    let made = Mounter::new(&stage)?.mount_all(request)?;
    if !made.is_empty() {
        report.stubs(made);
    }
    pivot(&stage.root())
}

/// Makes the new root the only one: the host's is no longer mounted here.
fn pivot(root: &Utf8PathBuf) -> Result<(), Failure> {
    chdir(root.as_std_path()).during(|| Operation::Pivot)?;
    pivot_root(".", ".").during(|| Operation::Pivot)?;
    umount2(".", MntFlags::MNT_DETACH).during(|| Operation::Pivot)?;
    chdir("/").during(|| Operation::Pivot)
}

fn start(request: &RunRequest, report: &mut Report) -> Result<nix::unistd::Pid, Failure> {
    let program = request.command.first().cloned().unwrap_or_default();
    match sys::fork().during(|| Operation::Execute(program))? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let Err(failure) = execute(request);
            report.failed(&failure);
            super::entry::leave(127)
        }
    }
}

fn execute(request: &RunRequest) -> Result<Infallible, Failure> {
    let program = request.command.first().map_or("", String::as_str);
    let named = || Operation::Execute(program.to_owned());
    setsid().during(named)?;
    if request.terminal {
        take_terminal().during(named)?;
    }
    sys::reset_signals();
    chdir(request.directory.as_std_path())
        .during(|| Operation::Directory(request.directory.clone()))?;
    let mut variables = request.environment.clone();
    for (key, value) in [("HOME", "/root"), ("PATH", USUAL_PATH), ("TMPDIR", "/tmp")] {
        if !variables.iter().any(|(name, _)| name == key) {
            variables.push((key.to_owned(), value.to_owned()));
        }
    }
    let path = variables.iter().rfind(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
    let text = |text: String| CString::new(text).map_err(|_| Errno::EINVAL);
    let arguments: Vec<_> =
        request.command.iter().cloned().map(text).collect::<Result<_, _>>().during(named)?;
    let variables: Vec<_> = variables
        .into_iter()
        .map(|(key, value)| text(format!("{key}={value}")))
        .collect::<Result<_, _>>()
        .during(named)?;
    let mut errno = Errno::ENOENT;
    for candidate in candidates(program, &path.unwrap_or_default()) {
        let candidate = CString::new(candidate).map_err(|_| Errno::EINVAL).during(named)?;
        let Err(error) = execve(&candidate, &arguments, &variables);
        // As a shell does: a file that may not be executed is worth more words than none.
        if !matches!(error, Errno::ENOENT | Errno::ENOTDIR) {
            errno = error;
        }
    }
    Err(errno).during(named)
}

/// Makes the terminal that is standard output the session's own, and standard input too.
fn take_terminal() -> std::io::Result<()> {
    let terminal = std::io::stdout();
    rustix::process::ioctl_tiocsctty(&terminal)?;
    Ok(nix::unistd::dup2_stdin(&terminal)?)
}

/// The files that a program's name may mean, in the order of trying.
fn candidates(program: &str, path: &str) -> Vec<String> {
    if program.is_empty() || program.contains('/') {
        return vec![program.to_owned()];
    }
    path.split(':')
        .map(|folder| if folder.is_empty() { "." } else { folder })
        .map(|folder| format!("{folder}/{program}"))
        .collect()
}
