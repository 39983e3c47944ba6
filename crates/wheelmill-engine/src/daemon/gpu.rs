//! How a daemon gives GPUs to containers, and whether it really does.

use bollard::models::{ContainerCreateBody, DeviceRequest, HostConfig, SystemInfo};
use camino::Utf8PathBuf;

use super::connection::Connection;
use super::container::{Runner, Wish, bounds};
use super::image::owned;
use super::traits::Traits;
use crate::cdi::{self, NVIDIA_GPU};
use crate::{Cancel, EngineError, GpuSight, Gpus, Limits, Stream};

/// The name of NVIDIA's runtime.
const NVIDIA_RUNTIME: &str = "nvidia";

/// Lists what a container sees of GPUs: NVIDIA's devices, and that of Windows' Linux.
const LOOK: &str =
    r#"for device in /dev/nvidia[0-9]* /dev/dxg; do [ ! -e "$device" ] || echo "$device"; done"#;

/// How to write the specification that CDI wants.
const GENERATE: &str = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";

/// How a daemon is asked for GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GpuWay {
    /// By the names of a CDI specification. It is what NVIDIA advises, and what survives a reload of
    /// systemd.
    Cdi,
    /// By NVIDIA's runtime, which reads variables.
    Runtime,
    /// By a request for the capability `gpu`, as `docker run --gpus` makes it. Whether the daemon
    /// can answer it is known only when a container starts.
    Request,
}

impl GpuWay {
    /// The best way of a daemon; Podman has but one.
    ///
    /// Podman 4 ignores requests and runtimes without a word, and a Docker older than 28.2 does not
    /// tell which devices it has found: their specifications are looked for in these folders.
    pub(super) fn find(podman: bool, info: &SystemInfo, folders: &[Utf8PathBuf]) -> Option<Self> {
        let is_specified = |folders: &[Utf8PathBuf]| !cdi::nvidia_gpus(folders).is_empty();
        if podman {
            return is_specified(folders).then_some(Self::Cdi);
        }
        let found = info.discovered_devices.iter().flatten().any(|device| {
            device.source.as_deref() == Some("cdi")
                && device.id.as_deref().is_some_and(|id| id.starts_with(NVIDIA_GPU))
        });
        let of_docker: Vec<Utf8PathBuf> =
            info.cdi_spec_dirs.iter().flatten().map(Utf8PathBuf::from).collect();
        if found || is_specified(&of_docker) {
            return Some(Self::Cdi);
        }
        let registered =
            info.runtimes.as_ref().is_some_and(|runtimes| runtimes.contains_key(NVIDIA_RUNTIME));
        Some(if registered { Self::Runtime } else { Self::Request })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Cdi => "CDI",
            Self::Runtime => "the runtime nvidia",
            Self::Request => "--gpus",
        }
    }
}

/// Has a container ask for GPUs, or for none: images can ask by themselves.
pub(super) fn ask(traits: &Traits, gpus: Option<&Gpus>, wish: &mut ContainerCreateBody) {
    let (Some(gpus), Some(way)) = (gpus, traits.gpus) else {
        set(wish, Gpus::DEVICES, Gpus::VOID);
        return;
    };
    // With CDI the devices are named in the wish. The runtime, which may be the daemon's default,
    // is not to add its own.
    let by_variable = if way == GpuWay::Cdi { Gpus::VOID } else { &gpus.devices };
    set(wish, Gpus::DEVICES, by_variable);
    set(wish, Gpus::CAPABILITIES, &gpus.capabilities);
    let host = wish.host_config.get_or_insert_with(HostConfig::default);
    let all = gpus.devices == "all";
    match way {
        GpuWay::Cdi => {
            host.device_requests = Some(vec![DeviceRequest {
                driver: Some("cdi".to_owned()),
                device_ids: Some(gpus.names().map(cdi_name).collect()),
                ..DeviceRequest::default()
            }]);
        }
        GpuWay::Runtime => host.runtime = Some(NVIDIA_RUNTIME.to_owned()),
        GpuWay::Request => {
            let capabilities = ["gpu"].into_iter().chain(gpus.capabilities.split(','));
            host.device_requests = Some(vec![DeviceRequest {
                count: all.then_some(-1),
                device_ids: (!all).then(|| gpus.names().map(str::to_owned).collect()),
                capabilities: Some(vec![capabilities.map(str::to_owned).collect()]),
                ..DeviceRequest::default()
            }]);
        }
    }
}

/// The name of a GPU in CDI; some write it so.
fn cdi_name(name: &str) -> String {
    if name.contains('=') { name.to_owned() } else { format!("{NVIDIA_GPU}={name}") }
}

/// Sets a variable, and takes other values of it away.
fn set(wish: &mut ContainerCreateBody, name: &str, value: &str) {
    let variables = wish.env.get_or_insert_default();
    variables.retain(|variable| variable.split('=').next() != Some(name));
    variables.push(format!("{name}={value}"));
}

/// Starts a container of an image, and lists the GPUs that it has: several ways of asking are
/// answered with none, and no error.
pub(super) fn look(
    connection: &Connection,
    traits: &Traits,
    image: &str,
    gpus: &Gpus,
    variables: &[(String, String)],
    cancel: &Cancel,
) -> Result<GpuSight, EngineError> {
    let Some(way) = traits.gpus else {
        return Ok(GpuSight::Unseen {
            why: format!("no CDI specification of {NVIDIA_GPU} is on this machine"),
            fix: format!("install the NVIDIA driver and Container Toolkit, then `{GENERATE}`"),
        });
    };
    let mut body = ContainerCreateBody {
        entrypoint: Some(vec!["sh".to_owned()]),
        cmd: Some(vec!["-c".to_owned(), LOOK.to_owned()]),
        env: Some(variables.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        host_config: Some(bounds(traits, &[], false, &Limits::default())),
        ..owned(image)
    };
    ask(traits, Some(gpus), &mut body);
    let mut said = Vec::new();
    let mut sink = |stream: Stream, bytes: &[u8]| {
        if stream == Stream::Stdout {
            said.extend_from_slice(bytes);
        }
    };
    let wish = Wish { name: "gpus".to_owned(), body, remains: None };
    match Runner(connection).run(wish, &mut sink, cancel) {
        Ok(exit) if exit.cancelled => return Err(EngineError::Cancelled),
        Ok(_) => {}
        Err(EngineError::Daemon { kind, message }) => {
            return match advice(&message) {
                Some(fix) => Ok(GpuSight::Unseen { why: message, fix }),
                None => Err(EngineError::Daemon { kind, message }),
            };
        }
        Err(error) => return Err(error),
    }
    let devices: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
    if devices.is_empty() {
        return Ok(GpuSight::Unseen {
            why: format!("a container that asked by {} started, and has none", way.name()),
            fix: "see whether this machine has one: `nvidia-smi`; then install the NVIDIA \
                  Container Toolkit and restart the daemon"
                .to_owned(),
        });
    }
    Ok(GpuSight::Seen { way: way.name().to_owned(), devices })
}

/// What to do about a daemon's words, where they are about GPUs.
///
/// Source: the words of dockerd 20.10 and 29.7, of podman 4.3, and of libnvidia-container 1.17.
fn advice(message: &str) -> Option<String> {
    let install = "install the NVIDIA Container Toolkit (package `nvidia-container-toolkit`), then \
                   `sudo systemctl restart docker`";
    let known: [(&[&str], &str); 8] = [
        (&["could not select device driver", "failed to discover GPU vendor"], install),
        (&["AMD CDI spec not found"], "`sudo systemctl restart docker`: the toolkit came after it"),
        (
            &["unknown or invalid runtime name", "Unknown runtime specified"],
            "`sudo nvidia-ctk runtime configure --runtime=docker`, then `sudo systemctl restart \
             docker`",
        ),
        (
            &["invoking the NVIDIA Container Runtime Hook directly"],
            "`sudo nvidia-ctk runtime configure --runtime=docker --cdi.enabled`, then `sudo \
             systemctl restart docker`",
        ),
        (
            &["requirement error: unsatisfied condition"],
            "a newer NVIDIA driver, or an older `--cuda`",
        ),
        (&["nvidia-container-runtime", "nvidia-cdi-hook"], install),
        (&["nvidia-container-cli"], "see what the driver says: `nvidia-smi`"),
        (&["initialize NVML"], "see what the driver says: `nvidia-smi`"),
    ];
    if message.contains("unresolvable CDI devices") || message.contains("setting up CDI devices") {
        return Some(format!(
            "write the specification of this driver anew: `{GENERATE}`; one that is newer than the \
             engine knows needs a newer engine"
        ));
    }
    let found = known.iter().find(|(signs, _)| signs.iter().any(|sign| message.contains(sign)));
    found.map(|(_, fix)| (*fix).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(gpus: Option<GpuWay>) -> Traits {
        Traits {
            version: String::new(),
            podman: false,
            rootless: false,
            network: "bridge",
            selinux: false,
            memory_limit: true,
            gpus,
        }
    }

    /// What daemons answer to `GET /info`, shortened.
    fn info(text: &str) -> SystemInfo {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_daemon_is_asked_the_best_way_that_it_has() {
        let find = |text: &str| GpuWay::find(false, &info(text), &[]);
        let of_29 = r#"{"ServerVersion": "29.7.2", "CDISpecDirs": ["/no/such/folder"],
            "Runtimes": {"nvidia": {"path": "nvidia-container-runtime"}, "runc": {"path": "runc"}},
            "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}"#;
        assert_eq!(find(of_29), Some(GpuWay::Cdi));
        let amd = r#"{"ServerVersion": "29.7.2", "Runtimes": {"runc": {"path": "runc"}},
            "DiscoveredDevices": [{"Source": "cdi", "ID": "amd.com/gpu=all"}]}"#;
        assert_eq!(find(amd), Some(GpuWay::Request));
        let of_20 = r#"{"ServerVersion": "20.10.24", "Runtimes": {"runc": {"path": "runc"},
            "nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}}"#;
        assert_eq!(find(of_20), Some(GpuWay::Runtime));

        let folder = tempfile::tempdir().unwrap();
        let path = camino::Utf8Path::from_path(folder.path()).unwrap().to_owned();
        let text = "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices: [{name: all}]\n";
        assert_eq!(GpuWay::find(true, &info("{}"), std::slice::from_ref(&path)), None);
        std::fs::write(path.join("nvidia.yaml"), text).unwrap();
        assert_eq!(GpuWay::find(true, &info("{}"), std::slice::from_ref(&path)), Some(GpuWay::Cdi));
        let of_25 = format!(r#"{{"ServerVersion": "25.0.5", "CDISpecDirs": ["{path}"]}}"#);
        assert_eq!(find(&of_25), Some(GpuWay::Cdi));
        let off = r#"{"ServerVersion": "25.0.5", "CDISpecDirs": []}"#;
        assert_eq!(find(off), Some(GpuWay::Request));
    }

    #[test]
    fn the_wish_is_what_the_documentation_of_each_way_says() {
        let asked = |way, devices: &str| {
            let mut wish = ContainerCreateBody {
                env: Some(vec!["NVIDIA_VISIBLE_DEVICES=7".to_owned(), "X=1".to_owned()]),
                ..ContainerCreateBody::default()
            };
            ask(&traits(way), Some(&Gpus::of(devices)), &mut wish);
            let host = wish.host_config.unwrap_or_default();
            (wish.env.unwrap(), host.runtime, host.device_requests)
        };
        let variables = |devices: &str| {
            let devices = format!("NVIDIA_VISIBLE_DEVICES={devices}");
            ["X=1", &devices, "NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
                .map(str::to_owned)
                .to_vec()
        };
        assert_eq!(
            asked(Some(GpuWay::Runtime), "all"),
            (variables("all"), Some("nvidia".to_owned()), None)
        );
        let (env, runtime, requests) = asked(Some(GpuWay::Cdi), "0, GPU-1f");
        assert_eq!((env, runtime), (variables("void"), None));
        let names = ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1f"].map(str::to_owned).to_vec();
        assert_eq!(requests.unwrap()[0].device_ids, Some(names));
        let (_, _, requests) = asked(Some(GpuWay::Request), "all");
        let request = requests.unwrap().remove(0);
        assert_eq!((request.driver, request.count, request.device_ids), (None, Some(-1), None));
        assert_eq!(request.capabilities.unwrap()[0][0], "gpu");
        let (_, _, requests) = asked(Some(GpuWay::Request), "1,2");
        let request = requests.unwrap().remove(0);
        let ids = ["1", "2"].map(str::to_owned).to_vec();
        assert_eq!((request.count, request.device_ids), (None, Some(ids)));
    }

    #[test]
    fn who_asks_for_none_gets_none_whatever_the_image_says() {
        let mut wish = ContainerCreateBody::default();
        ask(&traits(Some(GpuWay::Runtime)), None, &mut wish);
        assert_eq!(wish.env.unwrap(), ["NVIDIA_VISIBLE_DEVICES=void"]);
        assert!(wish.host_config.is_none());
    }

    #[test]
    fn the_words_of_daemons_lead_to_a_remedy() {
        for (said, remedy) in [
            ("could not select device driver \"\" with capabilities: [[gpu]]", "install"),
            (
                "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all",
                "generate",
            ),
            ("Unknown runtime specified nvidia", "runtime configure"),
            (
                "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8",
                "newer NVIDIA driver",
            ),
        ] {
            assert!(advice(said).unwrap().contains(remedy), "{said}");
        }
        assert_eq!(advice("no such image"), None);
    }
}
