//! In what daemons differ: asked once, in one place.

use bollard::models::SystemInfo;
use camino::Utf8PathBuf;

use super::connection::Connection;
use super::container::gpu::GpuWay;
use crate::{EngineError, EngineKind};

/// What a daemon is and can do.
#[derive(Clone, Debug)]
pub(super) struct Traits {
    /// `20.10.24`; Podman's are its own, and not to be compared with Docker's.
    pub(super) version: String,
    /// What answers is Podman, whatever the socket is called.
    pub(super) podman: bool,
    /// The daemon runs as a user: its root is that user, and owns what containers write.
    pub(super) rootless: bool,
    /// What a container with network is connected to.
    pub(super) network: &'static str,
    /// Labels of SELinux keep containers from the host's folders.
    pub(super) selinux: bool,
    /// Memory can be limited.
    pub(super) memory_limit: bool,
    /// How many processors there are to give.
    pub(super) cpus: f64,
    /// How containers are to ask for GPUs; none when they cannot have any.
    pub(super) gpus: Option<GpuWay>,
}

impl Traits {
    /// Asks a daemon. CDI specifications that it may not tell of lie in some folders.
    pub(super) fn ask(
        connection: &Connection,
        specifications: &[Utf8PathBuf],
    ) -> Result<Self, EngineError> {
        let (version, info, networks) = connection.ask(async |docker| {
            let networks = docker.list_networks(None).await?;
            Ok((docker.version().await?, docker.info().await?, networks))
        })?;
        let components = version.components.unwrap_or_default();
        let podman = components.iter().any(|component| component.name.contains("Podman"));
        let bridge = if podman { "podman" } else { "bridge" };
        let has_bridge = networks.iter().any(|network| network.name.as_deref() == Some(bridge));
        Ok(Self {
            version: version.version.unwrap_or_default(),
            podman,
            rootless: has_option(&info, "rootless"),
            // A daemon that was told to make no bridge has none to offer.
            network: if has_bridge { "bridge" } else { "host" },
            selinux: has_option(&info, "selinux"),
            memory_limit: info.memory_limit.unwrap_or(false),
            cpus: info.ncpu.map_or(f64::INFINITY, |count| count as f64),
            gpus: GpuWay::find(podman, &info, specifications),
        })
    }

    /// Whether this is the daemon that is meant.
    pub(super) fn is(&self, kind: EngineKind) -> bool {
        self.podman == (kind == EngineKind::Podman)
    }
}

fn has_option(info: &SystemInfo, name: &str) -> bool {
    let options = info.security_options.iter().flatten();
    options.flat_map(|option| option.split(',')).any(|option| option == format!("name={name}"))
}
