//! Lets the daemon's own program look at new settings, without starting a daemon.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nix::sys::memfd::{MFdFlags, memfd_create};
use wheelmill_engine::{DaemonAdministration, EngineError};
use wheelmill_model::Subnet;
use wheelmill_recipe::{HostSection, NvidiaRuntime};

use super::change::{HostPlan, Refusal, Remark};
use super::planner::{PlanError, plan};
use crate::machine::{DaemonProcess, Machine};

/// The first Docker whose daemon has `--validate`.
const VALIDATES: u64 = 23;

/// The first one before that which reads its settings and then says that it wants to be root, before
/// it makes any file.
const WANTS_ROOT: u64 = 19;

/// What it says then (tried with 20.10.24).
const IS_READ: &str = "needs to be started with root";

/// What it says of settings that it does not take.
const REFUSALS: [&str; 2] =
    ["unable to configure the Docker daemon", "unable to parse logging level"];

/// A user who may do nothing.
const NOBODY: u32 = 65_534;

/// How long a check may take; it takes a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the settings for whoever has them as its standard input.
const INPUT: &str = "/proc/self/fd/0";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It would take the settings.
    Good,
    /// It would not: why.
    Refused(String),
    /// It could not be asked: why.
    Unasked(String),
}

/// As [`plan`], with what only the daemon can tell: whether it would take the settings, and which
/// containers have the runtime that goes.
///
/// # Errors
/// As [`plan`].
pub(crate) fn plan_with_daemon(
    machine: &Machine,
    daemon: &DaemonAdministration,
    wish: &HostSection,
) -> Result<HostPlan, PlanError> {
    let mut plan = plan(machine, wish)?;
    if plan.keys.iter().any(|key| matches!(key.key.as_str(), "bip" | "default-address-pools")) {
        plan.refusals.extend(taken(&daemon.subnets().unwrap_or_default(), wish));
    }
    let settings = plan.files.iter().find(|change| change.path == machine.settings);
    if let Some(change) = settings.filter(|_| plan.refusals.is_empty()) {
        let (process, version) = (machine.process.as_ref(), &machine.report.version);
        match ask(process, version, &machine.settings, &change.after) {
            Answer::Good => {}
            Answer::Unasked(why) => plan.unasked = Some(why),
            Answer::Refused(why) => {
                let before = change.before.as_ref().map(|state| &state.bytes[..]);
                let asked = before.map(|bytes| ask(process, version, &machine.settings, bytes));
                let message = match asked {
                    Some(Answer::Refused(why)) => format!(
                        "the daemon does not take `{}` as it is, without this change: {why}",
                        change.path
                    ),
                    _ => format!("the daemon does not take the new settings: {why}"),
                };
                let instead = format!("correct `{}`: `sudo nano {}`", change.path, change.path);
                plan.refusals.push(Refusal::machine("settings-refused", message, instead));
            }
        }
    }
    if wish.nvidia_runtime == Some(NvidiaRuntime::Absent) && !plan.keys.is_empty() {
        plan.remarks.extend(users(daemon).unwrap_or_default());
    }
    Ok(plan)
}

/// What is wished of the bridge or the pools and one of the daemon's own networks has. Of pools that
/// is said only where nothing is left: networks are made out of them.
fn taken(networks: &[(String, String)], wish: &HostSection) -> Vec<Refusal> {
    let of = |is_taken: &dyn Fn(Subnet) -> bool| {
        let subnet = |text: &str| text.parse().ok();
        networks.iter().find(|(_, text)| subnet(text).is_some_and(is_taken))
    };
    let refusal = |key: &str, wished: Subnet, (name, subnet): &(String, String)| {
        Refusal::wish(
            "network-taken",
            format!("`{key}` takes {wished}, and Docker's own network `{name}` has {subnet}"),
            format!("choose another one, or take that away: `docker network rm {name}`"),
        )
    };
    let bridge = wish.bridge_address.filter(|_| wish.bridge.is_none()).and_then(|address| {
        let wished = address.subnet();
        Some(refusal("bridge-address", wished, of(&|network| network.overlaps(wished))?))
    });
    let pools = wish.address_pools.iter().flatten().filter_map(|pool| {
        let covers =
            |network: Subnet| network.prefix() <= pool.base.prefix() && network.overlaps(pool.base);
        Some(refusal("address-pools", pool.base, of(&covers)?))
    });
    bridge.into_iter().chain(pools).collect()
}

/// Containers that do not start any more when the runtime `nvidia` is gone.
pub(crate) fn users(daemon: &DaemonAdministration) -> Result<Option<Remark>, EngineError> {
    let names = daemon.users_of_runtime("nvidia")?;
    Ok((!names.is_empty()).then(|| Remark {
        message: format!(
            "these containers have the runtime `nvidia`, and do not start without it: {}",
            names.join(", ")
        ),
        hint: Some("those that run go on; make them anew without `--runtime=nvidia`".to_owned()),
    }))
}

/// Asks a daemon's program, with the options that the daemon really has: only so it sees what is
/// given twice.
pub(crate) fn ask(
    process: Option<&DaemonProcess>,
    version: &str,
    file: &Utf8Path,
    settings: &[u8],
) -> Answer {
    let release: Option<u64> = version.split('.').next().and_then(|part| part.parse().ok());
    let Some(process) = process else {
        return Answer::Unasked("its process cannot be seen".to_owned());
    };
    let validates = release.is_some_and(|release| release >= VALIDATES);
    let is_rootless = process.arguments.iter().any(|argument| argument.starts_with("--rootless"));
    if !validates && (is_rootless || release.is_none_or(|release| release < WANTS_ROOT)) {
        return Answer::Unasked(format!(
            "Docker {version} cannot check settings without starting (23 is the first that can)"
        ));
    }
    match run(process, settings, validates) {
        Err(error) => Answer::Unasked(format!("`{}`: {error}", process.program)),
        Ok(None) => Answer::Unasked(format!(
            "`{}` did not end within {} s",
            process.program,
            PATIENCE.as_secs()
        )),
        Ok(Some((succeeded, printed))) => {
            let printed = printed.replace(INPUT, file.as_str());
            judge(validates, succeeded, &printed)
        }
    }
}

fn judge(validates: bool, succeeded: bool, printed: &str) -> Answer {
    if succeeded && validates || !validates && printed.contains(IS_READ) {
        return Answer::Good;
    }
    let refusal = printed.lines().rev().find_map(|line| {
        REFUSALS.iter().any(|words| line.starts_with(words)).then(|| line.trim().to_owned())
    });
    match refusal {
        Some(refusal) => Answer::Refused(refusal),
        None if validates => Answer::Refused(printed.trim().to_owned()),
        None => Answer::Unasked(printed.trim().lines().last().unwrap_or_default().to_owned()),
    }
}

/// Whether it succeeded, and what it printed; none for one that does not end.
fn run(
    process: &DaemonProcess,
    settings: &[u8],
    validates: bool,
) -> std::io::Result<Option<(bool, String)>> {
    let mut file: File = memfd_create("daemon.json", MFdFlags::MFD_CLOEXEC)?.into();
    file.write_all(settings)?;
    // Nobody else has a name for it.
    file.set_permissions(std::fs::Permissions::from_mode(0o444))?;
    let mut command = Command::new(&process.program);
    command.args(validates.then_some("--validate")).args(&process.arguments);
    // The last of two options counts.
    command.args(["--config-file", INPUT]);
    command.env_clear().envs(process.environment.iter().map(|(name, value)| (name, value)));
    if validates {
        command.current_dir(&process.folder);
    } else if nix::unistd::geteuid().is_root() {
        command.current_dir("/").uid(NOBODY).gid(NOBODY);
    }
    command.stdin(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let succeeded = child.wait()?.success();
    Ok(Some((succeeded, printed(&mut child)?)))
}

/// What it printed, which is little enough to lie in the pipes.
fn printed(child: &mut Child) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_end(&mut bytes)?;
    }
    if let Some(stderr) = &mut child.stderr {
        stderr.read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A daemon that is a script.
    fn process(folder: &Utf8Path, script: &str) -> DaemonProcess {
        let program = folder.join("dockerd");
        fs_err::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
        for path in [folder, &program] {
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(path, mode).expect("it is ours");
        }
        let words = ["-H", "fd://", "--config-file", "/etc/docker/daemon.json"];
        DaemonProcess {
            id: 1,
            program,
            arguments: words.map(str::to_owned).to_vec(),
            folder: "/".into(),
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            log: None,
        }
    }

    #[test]
    fn the_daemons_own_check_is_asked_with_its_real_options() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let file = Utf8Path::new("/etc/docker/daemon.json");
        let check = |version: &str, script: &str| {
            ask(Some(&process(folder, script)), version, file, b"{ }")
        };
        let asks = "[ \"$(cat /proc/self/fd/0)\" = '{ }' ] && [ \"$*\" = \"--validate -H fd:// \
                    --config-file /etc/docker/daemon.json --config-file /proc/self/fd/0\" ]";
        assert_eq!(check("29.7.2", asks), Answer::Good);
        // What the daemon says of settings that its options contradict.
        let twice = "echo 'unable to configure the Docker daemon with file /proc/self/fd/0: hosts: \
                     (from flag: [fd://])' >&2; exit 1";
        let Answer::Refused(why) = check("28.3.0", twice) else { panic!("it is refused") };
        assert!(why.ends_with("daemon.json: hosts: (from flag: [fd://])"), "{why}");
        // One without the option reads its settings, and goes no further without root.
        let old = "[ $1 = -H ] && cat /proc/self/fd/0 > /dev/null && echo 'dockerd needs to be \
                   started with root privileges' >&2; id -u >&2; exit 1";
        assert_eq!(check("20.10.24+dfsg1", old), Answer::Good);
        assert!(matches!(check("20.10.24", twice), Answer::Refused(_)));
        assert_eq!(check("20.10.24", "echo odd; exit 1"), Answer::Unasked("odd".to_owned()));
        let Answer::Unasked(why) = check("18.09.1", "exit 1") else { panic!("it is not asked") };
        assert!(why.contains("Docker 18.09.1 cannot check"), "{why}");
    }
}
