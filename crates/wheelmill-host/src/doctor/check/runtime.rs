//! NVIDIA's runtime, as the daemon has it.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::cdi::NVIDIA_GPU;

use crate::doctor::fact::{DaemonFacts, Facts};
use crate::doctor::result::Check;
use crate::machine::{DaemonKind, is_executable};

const CODE: &str = "runtime";
const NVIDIA: &str = "nvidia";

const REGISTER: &str = "write `nvidia-runtime = true` below `[host]` of wheelmill.toml, then `sudo wheelmill host apply`";

/// Where a daemon whose `PATH` is not known looks for programs.
const USUAL: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let not_applicable = |message: &str| vec![Check::not_applicable(CODE, message)];
    let Some(daemon) = facts.daemon_in_use() else {
        return not_applicable("no daemon is used");
    };
    match daemon.kind() {
        DaemonKind::Podman => return not_applicable("Podman has GPUs by CDI alone"),
        DaemonKind::Desktop => return not_applicable("Docker Desktop's runtimes are its own"),
        _ => {}
    }
    let Some(runtime) = daemon.report.runtimes.get(NVIDIA) else {
        return vec![not_registered(facts, daemon)];
    };
    let path = runtime.path.as_deref().unwrap_or_default();
    let is_default = daemon.report.default_runtime == NVIDIA;
    vec![match find(daemon, path) {
        Some(file) => Check::ok(CODE, format!("`{NVIDIA}` is registered, and is `{file}`")),
        None if is_default => Check::problem(
            CODE,
            format!(
                "the default runtime is `{path}`, which is not there: no container starts at all"
            ),
            format!(
                "take `default-runtime` out of `{}`, then `sudo systemctl restart docker`",
                daemon.settings.0
            ),
        ),
        None => Check::warning(
            CODE,
            format!("`{NVIDIA}` is registered as `{path}`, which is not there"),
            format!("install the toolkit, or register another: {REGISTER}"),
        ),
    }]
}

fn not_registered(facts: &Facts, daemon: &DaemonFacts) -> Check {
    let mut devices = daemon.report.devices.iter().flatten();
    if !facts.driver.is_there() {
        Check::not_applicable(CODE, "not registered, and no GPU of NVIDIA is on this machine")
    } else if devices.any(|device| device.starts_with(NVIDIA_GPU)) {
        Check::not_applicable(CODE, "not registered, and not needed: the daemon has CDI")
    } else {
        Check::warning(CODE, "NVIDIA's runtime is not registered with Docker", REGISTER)
    }
}

/// The file that the daemon would start.
fn find(daemon: &DaemonFacts, path: &str) -> Option<Utf8PathBuf> {
    if let Some(process) = &daemon.process {
        return process.find_program(path);
    }
    if path.contains('/') {
        return Some(Utf8PathBuf::from(path)).filter(|file| is_executable(file));
    }
    let files = USUAL.iter().map(|folder| Utf8Path::new(folder).join(path));
    files.into_iter().find(|file| is_executable(file))
}
