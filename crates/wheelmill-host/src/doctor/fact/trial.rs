//! Tries each way to ask a daemon for GPUs, by doing it.

use wheelmill_engine::{DaemonAdministration, EngineError, GpuSight, GpuWay};

use super::daemon::DaemonFacts;
use crate::doctor::settings::TrialWish;

/// How a container fared that asked for GPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuTrial {
    /// It has them.
    Works {
        /// `/dev/nvidia0`.
        devices: Vec<String>,
    },
    /// It has none, or was not made.
    Fails {
        /// The daemon's words, or what was seen.
        why: String,
        /// What to do about it.
        fix: String,
    },
    /// This daemon does not know this way.
    Unknown(String),
    /// No container was made.
    NotTried {
        /// Why.
        why: String,
        /// What to do so that one is.
        fix: String,
    },
}

/// Parts of the names of images that have a shell.
const WITH_SHELL: [&str; 12] = [
    "wheelmill/",
    "nvidia/cuda",
    "manylinux",
    "ubuntu",
    "debian",
    "busybox",
    "alpine",
    "fedora",
    "rockylinux",
    "almalinux",
    "python",
    "pytorch",
];

const OTHER_IMAGE: &str =
    "name an image with a shell that is there: `wheelmill doctor --gpu-image IMAGE`";

/// All ways, for one daemon.
pub(super) fn all(daemon: &DaemonFacts, wish: &TrialWish) -> Vec<(GpuWay, GpuTrial)> {
    GpuWay::ALL.into_iter().map(|way| (way, one(daemon, way, wish))).collect()
}

fn one(daemon: &DaemonFacts, way: GpuWay, wish: &TrialWish) -> GpuTrial {
    if let Some(why) = unknown(daemon, way) {
        return GpuTrial::Unknown(why);
    }
    let images = &daemon.report.images;
    let image = match wish {
        TrialWish::Never => {
            return GpuTrial::NotTried {
                why: "no container was to be made".to_owned(),
                fix: "leave `--no-containers` out".to_owned(),
            };
        }
        TrialWish::Image(name) => name,
        TrialWish::AnyImage => match with_shell(images) {
            Some(name) => name,
            None => {
                return GpuTrial::NotTried {
                    why: "no image is there that is known to have a shell, and none is fetched"
                        .to_owned(),
                    fix: OTHER_IMAGE.to_owned(),
                };
            }
        },
    };
    outcome(DaemonAdministration::at(&daemon.socket).try_gpus(image, way), image)
}

/// What a daemon's answer means.
fn outcome(seen: Result<GpuSight, EngineError>, image: &str) -> GpuTrial {
    let error = match seen {
        Ok(GpuSight::Seen { devices, .. }) => return GpuTrial::Works { devices },
        Ok(GpuSight::Unseen { why, fix }) => return GpuTrial::Fails { why, fix },
        Err(error) => error,
    };
    let message = match &error {
        EngineError::Daemon { message, .. } => message.clone(),
        other => other.to_string(),
    };
    if message.contains("\"sh\"") || message.contains("`sh`") {
        let why = format!("the image {image} has no shell");
        return GpuTrial::NotTried { why, fix: OTHER_IMAGE.to_owned() };
    }
    if message.to_lowercase().contains("no such image") {
        let why = format!("the image {image} is not there, and none is fetched");
        return GpuTrial::NotTried { why, fix: format!("`docker pull {image}`") };
    }
    GpuTrial::Fails {
        why: message,
        fix: "see the checks `runtime`, `cdi` and `toolkit`".to_owned(),
    }
}

fn with_shell(images: &[String]) -> Option<&String> {
    let of = |part: &str| images.iter().find(|image| image.contains(part));
    WITH_SHELL.into_iter().find_map(of)
}

/// Why a daemon cannot know a way.
fn unknown(daemon: &DaemonFacts, way: GpuWay) -> Option<String> {
    let report = &daemon.report;
    match (way, report.podman) {
        (GpuWay::Cdi, true) => None,
        (_, true) => Some("Podman ignores it without a word; it has CDI".to_owned()),
        (GpuWay::Cdi, false) => match &report.cdi_folders {
            None => {
                Some(format!("Docker {} knows no CDI; 25 is the first that does", report.version))
            }
            Some(folders) if folders.is_empty() => Some("CDI is off in this Docker".to_owned()),
            Some(_) => None,
        },
        (GpuWay::Runtime, false) if !report.runtimes.contains_key("nvidia") => {
            Some("no runtime `nvidia` is registered".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wheelmill_engine::EngineKind;

    use super::*;

    #[test]
    fn an_image_with_a_shell_is_found_by_its_name() {
        let images =
            ["scratch-thing:1", "hello-world:latest", "library/debian:12"].map(str::to_owned);
        assert_eq!(with_shell(&images).unwrap(), "library/debian:12");
        assert_eq!(with_shell(&images[..2]), None);
    }

    #[test]
    fn what_says_nothing_of_gpus_is_no_failure_of_a_way() {
        let refused = |message: &str| {
            let message = message.to_owned();
            outcome(Err(EngineError::Daemon { kind: EngineKind::Docker, message }), "x:1")
        };
        let no_shell =
            "OCI runtime create failed: exec: \"sh\": executable file not found in $PATH";
        assert!(matches!(refused(no_shell), GpuTrial::NotTried { .. }));
        assert!(matches!(refused("No such image: x:1"), GpuTrial::NotTried { .. }));
        let broken = "fork/exec /opt/nvidia-runtime: no such file or directory: unknown";
        assert!(matches!(refused(broken), GpuTrial::Fails { .. }));
    }
}
