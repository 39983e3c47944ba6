//! A daemon as whoever sets it up sees it: what it says of itself, whether it lives, whether it has
//! read its settings anew.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{
    EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    ListNetworksOptions, StartContainerOptions,
};
use camino::{Utf8Path, Utf8PathBuf};
use futures_util::StreamExt as _;

use super::connection::Connection;
use super::container::gpu::GpuWay;
use super::container::gpu_look;
use super::failure::is_missing;
use super::report::DaemonReport;
use super::traits::Traits;
use crate::{Cancel, EngineError, EngineKind, GpuSight, Gpus};

/// A daemon at a socket.
#[derive(Clone, Debug)]
pub struct DaemonAdministration {
    connection: Connection,
}

impl DaemonAdministration {
    /// The daemon at a socket; nothing is asked yet.
    #[must_use]
    pub fn at(socket: &Utf8Path) -> Self {
        let connection = Connection { kind: EngineKind::Docker, socket: socket.to_owned() };
        Self { connection }
    }

    /// The daemon at the first of some sockets where one answers.
    ///
    /// # Errors
    /// None answers; the error is that of the first.
    pub fn find(sockets: &[Utf8PathBuf]) -> Result<Self, EngineError> {
        Ok(Self { connection: Connection::find(EngineKind::Docker, sockets)? })
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Utf8Path {
        &self.connection.socket
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub fn report(&self) -> Result<DaemonReport, EngineError> {
        self.connection.ask(async |docker| DaemonReport::ask(docker).await)
    }

    /// Whether it answers within a time.
    #[must_use]
    pub fn answers(&self, limit: Duration) -> bool {
        let asked = self.connection.with(async |docker| {
            tokio::time::timeout(limit, docker.ping()).await.is_ok_and(|answer| answer.is_ok())
        });
        asked.unwrap_or(false)
    }

    /// Whether it has taken new settings since a moment, waiting so long for it. It tells by an
    /// event; settings that it refuses make none.
    ///
    /// # Errors
    /// It does not answer.
    pub fn has_reloaded_since(
        &self,
        moment: SystemTime,
        limit: Duration,
    ) -> Result<bool, EngineError> {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
        let filters = HashMap::from([("type", vec!["daemon"]), ("event", vec!["reload"])]);
        let wanted = EventsOptionsBuilder::default().since(&since).filters(&filters).build();
        self.connection.ask(async |docker| {
            let mut events = docker.events(Some(wanted));
            match tokio::time::timeout(limit, events.next()).await {
                Err(_) | Ok(None) => Ok(false),
                Ok(Some(event)) => event.map(|_| true),
            }
        })
    }

    /// The names of the containers that have a runtime, also of those that do not run.
    ///
    /// # Errors
    /// It does not answer.
    pub fn users_of_runtime(&self, runtime: &str) -> Result<Vec<String>, EngineError> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        self.connection.ask(async |docker| {
            let mut names = Vec::new();
            for container in docker.list_containers(Some(all)).await? {
                let Some(id) = container.id else { continue };
                let found = docker.inspect_container(&id, None::<InspectContainerOptions>).await;
                let found = match found {
                    // It was removed meanwhile.
                    Err(error) if is_missing(&error) => continue,
                    found => found?,
                };
                let has = found.host_config.and_then(|config| config.runtime);
                if has.as_deref() == Some(runtime) {
                    let name = found.name.unwrap_or(id);
                    names.push(name.trim_start_matches('/').to_owned());
                }
            }
            Ok(names)
        })
    }

    /// The subnets of its networks but the default bridge's, with the network's name:
    /// `172.18.0.0/16`.
    ///
    /// # Errors
    /// It does not answer.
    pub fn subnets(&self) -> Result<Vec<(String, String)>, EngineError> {
        let networks = self
            .connection
            .ask(async |docker| docker.list_networks(None::<ListNetworksOptions>).await)?;
        let mut found = Vec::new();
        for network in networks {
            let name = network.name.unwrap_or_default();
            let pools = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
            let subnets = pools.into_iter().filter_map(|pool| pool.subnet);
            found.extend(subnets.map(|subnet| (name.clone(), subnet)));
        }
        found.retain(|(name, _)| name != "bridge");
        Ok(found)
    }

    /// Starts a container that is there.
    ///
    /// # Errors
    /// There is none of the name, it does not start, or the daemon does not answer.
    pub fn start_container(&self, name: &str) -> Result<(), EngineError> {
        self.connection
            .ask(async |docker| docker.start_container(name, None::<StartContainerOptions>).await)
    }

    /// Makes a volume.
    ///
    /// # Errors
    /// It refuses, or does not answer.
    pub fn make_volume(&self, name: &str) -> Result<(), EngineError> {
        let wish =
            VolumeCreateRequest { name: Some(name.to_owned()), ..VolumeCreateRequest::default() };
        self.connection.ask(async |docker| docker.create_volume(wish).await).map(drop)
    }

    /// Where a volume lies, in the eyes of the daemon; none when there is no such volume.
    ///
    /// # Errors
    /// It does not answer.
    pub fn volume_place(&self, name: &str) -> Result<Option<Utf8PathBuf>, EngineError> {
        self.connection.ask(async |docker| match docker.inspect_volume(name).await {
            Err(error) if is_missing(&error) => Ok(None),
            found => found.map(|volume| Some(volume.mountpoint.into())),
        })
    }

    /// Has a container of an image that is there ask for all GPUs in one way, and looks which it
    /// has. The image must have a shell; the container is gone afterwards.
    ///
    /// # Errors
    /// The container could not be started, for a reason that need not be about GPUs.
    pub fn try_gpus(&self, image: &str, way: GpuWay) -> Result<GpuSight, EngineError> {
        let mut traits = Traits::ask(&self.connection, &[])?;
        traits.gpus = Some(way);
        let mut connection = self.connection.clone();
        if traits.podman {
            connection.kind = EngineKind::Podman;
        }
        gpu_look::look(&connection, &traits, image, &Gpus::of("all"), &[], &Cancel::new())
    }
}
