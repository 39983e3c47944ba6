//! CDI specifications: there, readable, and of the driver that is loaded.

use wheelmill_engine::EngineKind;
use wheelmill_engine::cdi::{CdiSpecification, NVIDIA_GPU};
use wheelmill_engine::requirement::Dotted;

use crate::doctor::fact::{CdiFile, DaemonFacts, Facts};
use crate::doctor::result::Check;

const CODE: &str = "cdi";

const GENERATE: &str = "`sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`";

/// The newest version of the format that Podman 4.3 reads (tried with 4.3.1).
const OF_PODMAN_4_3: &str = "0.5.0";

/// The first release of Docker that knows CDI.
const DOCKER: u64 = 25;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    if facts.engine() == EngineKind::Embedded {
        return vec![Check::not_applicable(CODE, "the embedded engine gives containers no GPUs")];
    }
    let Some(daemon) = facts.daemon_in_use() else {
        return vec![Check::not_applicable(CODE, "no daemon answers")];
    };
    if let Some(off) = off(facts, daemon) {
        return vec![off];
    }
    if facts.cdi.is_empty() {
        return vec![none(facts, daemon)];
    }
    facts.cdi.iter().map(|file| one(facts, daemon, file)).collect()
}

/// A Docker that does not know CDI, or was told not to.
fn off(facts: &Facts, daemon: &DaemonFacts) -> Option<Check> {
    let report = &daemon.report;
    if report.podman || report.cdi_folders.as_ref().is_some_and(|folders| !folders.is_empty()) {
        return None;
    }
    let version = &report.version;
    let is_old = daemon.release().is_some_and(|release| release < DOCKER);
    let message = match is_old {
        true => format!("Docker {version} knows no CDI; {DOCKER} is the first that does"),
        false => format!("CDI is off in Docker {version}"),
    };
    Some(match (is_old, facts.driver.is_there()) {
        (false, true) => Check::warning(
            CODE,
            message,
            "write `cdi = true` below `[host]` of wheelmill.toml, then `sudo wheelmill host apply`",
        ),
        _ => Check::not_applicable(CODE, message),
    })
}

fn none(facts: &Facts, daemon: &DaemonFacts) -> Check {
    let mut devices = daemon.report.devices.iter().flatten();
    if devices.any(|device| device.starts_with(NVIDIA_GPU)) {
        return Check::ok(CODE, format!("the daemon has found {NVIDIA_GPU} in folders of its own"));
    }
    if facts.driver.is_there() {
        return Check::warning(
            CODE,
            format!("there is no CDI specification of {NVIDIA_GPU}"),
            format!(
                "{GENERATE}; with toolkit 1.18 and later: `sudo systemctl enable --now nvidia-cdi-refresh`"
            ),
        );
    }
    Check::not_applicable(CODE, "no GPU of NVIDIA is on this machine")
}

fn one(facts: &Facts, daemon: &DaemonFacts, file: &CdiFile) -> Check {
    let path = &file.path;
    let of_service = ["/var/run/cdi", "/run/cdi"].iter().any(|folder| path.starts_with(folder));
    let again = match of_service {
        true => "`sudo systemctl restart nvidia-cdi-refresh`".to_owned(),
        false => format!("`sudo nvidia-ctk cdi generate --output={path}`"),
    };
    let stale = |why: String| Check::warning(CODE, format!("`{path}` is stale: {why}"), &again);
    let specification = match &file.specification {
        Ok(specification) => specification,
        Err(why) => {
            let message = format!("`{path}` is no CDI specification: {why}");
            return Check::warning(CODE, message, again);
        }
    };
    if let (Some(made), Some(loaded)) = (specification.driver(), facts.driver.version.as_deref())
        && made != loaded
    {
        return stale(format!("it is of driver {made}, and {loaded} is loaded"));
    }
    if let [first, rest @ ..] = &file.missing[..] {
        let more =
            if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        return stale(format!("it speaks of `{first}`{more}, and no such file is there"));
    }
    if let Some(newer) = &file.newer {
        return stale(format!("it was written before `{newer}` came"));
    }
    if let Some(check) = too_new(daemon, file, specification) {
        return check;
    }
    let names: Vec<&str> = specification.devices.iter().map(|device| &*device.name).collect();
    let of =
        specification.driver().map_or_else(String::new, |driver| format!(", of driver {driver}"));
    Check::ok(CODE, format!("`{path}` has {NVIDIA_GPU} {}{of}", names.join(", ")))
}

/// A format that the engine does not read, of which Podman says only that there is no such device.
fn too_new(
    daemon: &DaemonFacts,
    file: &CdiFile,
    specification: &CdiSpecification,
) -> Option<Check> {
    let number = |text: &str| text.parse::<Dotted>().ok();
    let is_old = daemon.report.podman && number(&daemon.report.version)? < number("4.4")?;
    let version = &specification.cdi_version;
    (is_old && number(version)? > number(OF_PODMAN_4_3)?).then(|| {
        Check::warning(
            CODE,
            format!(
                "`{}` is of version {version}, and Podman {} reads none above {OF_PODMAN_4_3}",
                file.path, daemon.report.version
            ),
            "install Podman 5, or write it for an old one: `sudo nvidia-ctk cdi generate \
             --feature-flag=no-additional-gids-for-device-nodes --output=/etc/cdi/nvidia.yaml`",
        )
    })
}
