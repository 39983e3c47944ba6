//! What a daemon says of itself, for whoever sets the machine up.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{SystemInfo, SystemVersion};
use bollard::query_parameters::{
    InspectNetworkOptions, ListContainersOptionsBuilder, ListImagesOptions, ListVolumesOptions,
};
use camino::Utf8PathBuf;
use serde::Serialize;

/// What a daemon says of itself. What an old one does not know is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonReport {
    /// Its own identifier. It changes with the folder of images in newer ones.
    pub id: String,
    /// What answers is Podman.
    pub podman: bool,
    /// `20.10.24`; Podman's are its own.
    pub version: String,
    /// The newest version of the API that it speaks: `1.41`.
    pub api_version: String,
    /// `Debian GNU/Linux 12`, `Docker Desktop`.
    pub operating_system: String,
    /// Where images, containers and volumes lie.
    pub root: Utf8PathBuf,
    /// How images are kept: `overlay2`.
    pub driver: String,
    /// More of that, in pairs.
    pub driver_status: Vec<(String, String)>,
    /// The socket of the containerd that it uses, where it says so.
    pub containerd: Option<String>,
    /// What starts containers, by name.
    pub runtimes: BTreeMap<String, DaemonRuntime>,
    /// The one that containers get that ask for none.
    pub default_runtime: String,
    /// Where it looks for CDI specifications; empty when CDI is off.
    pub cdi_folders: Option<Vec<Utf8PathBuf>>,
    /// The devices that it found, as `nvidia.com/gpu=all`.
    pub devices: Option<Vec<String>>,
    /// Containers live on while it is restarted.
    pub live_restore: bool,
    /// Where users' networks are taken from, with the prefix of each; empty for its defaults.
    pub address_pools: Vec<(String, i64)>,
    /// The address of the default bridge with its network, when it has one: `172.17.0.1/16`.
    pub bridge_address: Option<String>,
    /// The device of the default bridge: `docker0`.
    pub bridge: Option<String>,
    /// The containers that run.
    pub running: Vec<RunningContainer>,
    /// The names of its images; an identifier for one that has no name.
    pub images: Vec<String>,
    /// The names of its volumes.
    pub volumes: Vec<String>,
    /// `name=seccomp,profile=default`, `name=rootless`.
    pub security_options: Vec<String>,
    /// Its labels.
    pub labels: Vec<String>,
    /// What it warns of.
    pub warnings: Vec<String>,
}

/// The address of a bridge, by its network. When the daemon has just chosen the network itself, it
/// tells no gateway (tried with 20.10); then it is the first address, as libnetwork takes it.
fn bridge_address(subnet: &str, gateway: Option<String>) -> Option<String> {
    let (network, prefix) = subnet.split_once('/')?;
    let network: Ipv4Addr = network.parse().ok()?;
    let gateway = gateway.filter(|gateway| !gateway.is_empty());
    let gateway = gateway.unwrap_or_else(|| Ipv4Addr::from_bits(network.to_bits() | 1).to_string());
    Some(format!("{gateway}/{prefix}"))
}

/// A program that starts containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonRuntime {
    /// The program; absent where a plug-in of containerd does it.
    pub path: Option<String>,
    /// What it is given beside what it must be.
    pub arguments: Vec<String>,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunningContainer {
    /// Its name, without the slash.
    pub name: String,
    /// What it was made from.
    pub image: String,
}

impl DaemonReport {
    /// Whether the daemon runs as a user.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        self.has_option("rootless")
    }

    fn has_option(&self, name: &str) -> bool {
        let wanted = format!("name={name}");
        let mut options = self.security_options.iter().flat_map(|option| option.split(','));
        options.any(|option| option == wanted)
    }

    /// Asks.
    pub(super) async fn ask(docker: &Docker) -> Result<Self, Error> {
        let version = docker.version().await?;
        let info = docker.info().await?;
        let running = ListContainersOptionsBuilder::default().build();
        let running = docker.list_containers(Some(running)).await?;
        let images = docker.list_images(None::<ListImagesOptions>).await?;
        let volumes =
            docker.list_volumes(None::<ListVolumesOptions>).await?.volumes.unwrap_or_default();
        let running = running.into_iter().map(|container| RunningContainer {
            name: container
                .names
                .into_iter()
                .flatten()
                .next()
                .or(container.id)
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            image: container.image.unwrap_or_default(),
        });
        let images = images.into_iter().map(|image| {
            let named = image.repo_tags.into_iter().find(|tag| tag != "<none>:<none>");
            named.unwrap_or(image.id)
        });
        let mut report = Self {
            running: running.collect(),
            images: images.collect(),
            volumes: volumes.into_iter().map(|volume| volume.name).collect(),
            ..Self::of(version, info)
        };
        report.add_bridge(docker).await?;
        Ok(report)
    }

    fn of(version: SystemVersion, info: SystemInfo) -> Self {
        let components = version.components.unwrap_or_default();
        let runtimes = info.runtimes.unwrap_or_default().into_iter();
        let runtime = |runtime: bollard::models::Runtime| DaemonRuntime {
            path: runtime.path.filter(|path| !path.is_empty()),
            arguments: runtime.runtime_args.unwrap_or_default(),
        };
        let pair = |pair: Vec<String>| match <[String; 2]>::try_from(pair) {
            Ok([name, value]) => Some((name, value)),
            Err(_) => None,
        };
        let pools = info.default_address_pools.unwrap_or_default().into_iter();
        Self {
            id: info.id.unwrap_or_default(),
            podman: components.iter().any(|component| component.name.contains("Podman")),
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            operating_system: info.operating_system.unwrap_or_default(),
            root: info.docker_root_dir.unwrap_or_default().into(),
            driver: info.driver.unwrap_or_default(),
            driver_status: info.driver_status.into_iter().flatten().filter_map(pair).collect(),
            containerd: info.containerd.and_then(|containerd| containerd.address),
            runtimes: runtimes.map(|(name, found)| (name, runtime(found))).collect(),
            default_runtime: info.default_runtime.unwrap_or_default(),
            cdi_folders: info
                .cdi_spec_dirs
                .map(|folders| folders.into_iter().map(Utf8PathBuf::from).collect()),
            devices: info
                .discovered_devices
                .map(|devices| devices.into_iter().filter_map(|device| device.id).collect()),
            live_restore: info.live_restore_enabled.unwrap_or(false),
            address_pools: pools
                .map(|pool| (pool.base.unwrap_or_default(), pool.size.unwrap_or_default()))
                .collect(),
            security_options: info.security_options.unwrap_or_default(),
            labels: info.labels.unwrap_or_default(),
            warnings: info.warnings.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// A daemon can be told to have no bridge.
    async fn add_bridge(&mut self, docker: &Docker) -> Result<(), Error> {
        let network = match docker.inspect_network("bridge", None::<InspectNetworkOptions>).await {
            Err(error) if super::failure::is_missing(&error) => return Ok(()),
            network => network?,
        };
        let mut options: HashMap<String, String> = network.options.unwrap_or_default();
        self.bridge = options.remove("com.docker.network.bridge.name");
        let pools = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        // Only a network of IPv4 has dots; the prefix is that of the network.
        self.bridge_address =
            pools.into_iter().find_map(|pool| bridge_address(&pool.subnet?, pool.gateway));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_has_an_address_also_where_the_daemon_names_only_its_network() {
        let told = |subnet: &str, gateway: Option<&str>| {
            bridge_address(subnet, gateway.map(str::to_owned))
        };
        assert_eq!(told("172.30.0.0/24", Some("172.30.0.5")).unwrap(), "172.30.0.5/24");
        assert_eq!(told("172.17.0.0/16", None).unwrap(), "172.17.0.1/16");
        assert_eq!(told("fd00::/64", None), None);
    }
}
