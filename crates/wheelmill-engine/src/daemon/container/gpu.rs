//! How a daemon is asked to give GPUs to containers.

use bollard::models::{ContainerCreateBody, DeviceRequest, HostConfig, SystemInfo};
use camino::Utf8PathBuf;
use serde::Serialize;

use crate::Gpus;
use crate::cdi::{self, NVIDIA_GPU};

/// The name of NVIDIA's runtime.
const NVIDIA_RUNTIME: &str = "nvidia";

/// How a daemon is asked for GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuWay {
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
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Cdi, Self::Runtime, Self::Request];

    /// The best way of a daemon; Podman has but one.
    ///
    /// Podman 4 ignores requests and runtimes without a word, and a Docker older than 28.2 does not
    /// tell which devices it has found: their specifications are looked for in these folders.
    pub(in crate::daemon) fn find(
        podman: bool,
        info: &SystemInfo,
        folders: &[Utf8PathBuf],
    ) -> Option<Self> {
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

    /// What it is called in a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cdi => "CDI",
            Self::Runtime => "the runtime nvidia",
            Self::Request => "--gpus",
        }
    }
}

/// Has a container ask for GPUs, or for none: images can ask by themselves.
pub(in crate::daemon) fn ask(
    way: Option<GpuWay>,
    gpus: Option<&Gpus>,
    wish: &mut ContainerCreateBody,
) {
    let (Some(gpus), Some(way)) = (gpus, way) else {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            ask(way, Some(&Gpus::of(devices)), &mut wish);
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
        ask(Some(GpuWay::Runtime), None, &mut wish);
        assert_eq!(wish.env.unwrap(), ["NVIDIA_VISIBLE_DEVICES=void"]);
        assert!(wish.host_config.is_none());
    }
}
