//! Runs one command in a container of a daemon, to its end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerState, HostConfig, Mount as DaemonMount, MountType,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    StartContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use nix::unistd::{Gid, Uid};
use wheelmill_model::{ByteSize, Digest};

use super::gpu;
use super::memory::{Figures, MemoryGroup};
use crate::daemon::connection::{Connection, cancelled};
use crate::daemon::failure::{gone, is_missing, removed};
use crate::daemon::image::remains;
use crate::daemon::label::{self, OWNER, WRITES};
use crate::daemon::libpod;
use crate::daemon::sweep;
use crate::daemon::traits::Traits;
use crate::{
    Cancel, Container, EngineError, EngineKind, Exit, Limits, MemoryWatch, Mount, OutputSink,
    Prepared, Stream, Terminal,
};

/// How often, and how long apart, a state that is no state of Docker's is looked at again.
const LOOKS: u32 = 40;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How often the peak of memory is read.
const SAMPLE: Duration = Duration::from_millis(100);

/// Capabilities that a container's root keeps where it stands for the caller: what unpacking files
/// takes. Where the caller has a number of his own in the container, none is needed.
const ROOT_KEEPS: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];

/// Capabilities that the root of a user's own image keeps: what package managers take in addition.
pub(in crate::daemon) const INSTALLERS_KEEP: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID"];

/// What a daemon is asked for.
pub(in crate::daemon) struct Wish {
    /// What it is for.
    pub(in crate::daemon) name: String,
    pub(in crate::daemon) body: ContainerCreateBody,
    /// Where its files are kept when it fails.
    pub(in crate::daemon) remains: Option<Digest>,
}

/// A container that is to run.
pub(in crate::daemon) struct Run<'a> {
    pub(in crate::daemon) connection: &'a Connection,
    pub(in crate::daemon) traits: &'a Traits,
    pub(in crate::daemon) prepared: &'a Prepared,
    pub(in crate::daemon) container: &'a Container,
}

/// Who runs a container to its end, whatever it was made of.
pub(in crate::daemon) struct Runner<'a>(pub(in crate::daemon) &'a Connection);

impl Runner<'_> {
    /// Runs it. Whatever happens, the container is gone afterwards.
    pub(in crate::daemon) fn run(
        &self,
        wish: Wish,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        self.run_with(wish, cancel, async |docker, id, figures| {
            self.follow(docker, id, output, figures).await
        })
    }

    /// Runs it at a terminal.
    pub(in crate::daemon) fn run_at(
        &self,
        mut wish: Wish,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        wish.body.tty = Some(true);
        wish.body.open_stdin = Some(true);
        wish.body.attach_stdin = Some(true);
        self.run_with(wish, cancel, async |docker, id, _| {
            super::terminal::follow(self.0, docker, id, terminal).await?;
            self.ended(docker, id).await
        })
    }

    fn run_with(
        &self,
        Wish { name, body, remains }: Wish,
        cancel: &Cancel,
        follow: impl AsyncFnOnce(&Docker, &str, &mut Figures) -> Result<ContainerState, EngineError>,
    ) -> Result<Exit, EngineError> {
        let started = Instant::now();
        let made = Made::new(self.0, &name, body.clone())?;
        let mut figures = Figures::default();
        let followed = self.0.with(async |docker| {
            tokio::select! {
                state = follow(&docker, &made.id, &mut figures) => state.map(Some),
                () = cancelled(cancel) => Ok(None),
            }
        })?;
        let state = followed?;
        let is_cancelled = state.is_none();
        let state = state.unwrap_or_default();
        let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(137);
        // Nobody looks at what he has stopped himself.
        let cancel = cancel.without_deadline();
        if let Some(key) = remains.filter(|_| code != 0 && !cancel.is_cancelled()) {
            let keep =
                async |docker| remains::keep(self.0, &docker, &made.id, &name, &body, &key).await;
            // The build has failed already, and is to be told by that.
            if let Err(error) = self.0.long(&cancel, keep) {
                tracing::warn!(%error, "could not keep what the container left");
            }
        }
        // The daemon knows that there was one; the last look may have come before it.
        let oom_kills = figures.kills.max(u64::from(state.oom_killed.unwrap_or(false)));
        // Podman does not, where the command itself was not the one that was killed.
        let is_exact = oom_kills > 0 || self.0.kind == EngineKind::Docker;
        Ok(Exit {
            code,
            peak_memory: figures.peak.map(ByteSize),
            oom_kills,
            watch: match figures.peak {
                Some(_) if is_exact => MemoryWatch::Cgroup,
                Some(_) => MemoryWatch::Sampled,
                None => MemoryWatch::None,
            },
            wall: started.elapsed(),
            cancelled: is_cancelled,
        })
    }

    /// Starts the container and passes its output on until it has ended.
    async fn follow(
        &self,
        docker: &Docker,
        id: &str,
        output: &mut dyn OutputSink,
        figures: &mut Figures,
    ) -> Result<ContainerState, EngineError> {
        let gone = |error| gone(self.0, error);
        let streams = AttachContainerOptionsBuilder::default();
        let streams = streams.stdout(true).stderr(true).stream(true).build();
        let AttachContainerResults { output: mut said, input: _open } =
            docker.attach_container(id, Some(streams)).await.map_err(gone)?;
        docker.start_container(id, None::<StartContainerOptions>).await.map_err(gone)?;
        let pid = self.state(docker, id).await?.pid;
        let group = pid.filter(|pid| *pid > 0).and_then(MemoryGroup::of);
        let mut sample = || {
            if let Some(group) = &group {
                *figures = group.read(*figures);
            }
        };
        let mut clock = tokio::time::interval(SAMPLE);
        loop {
            tokio::select! {
                piece = said.next() => match piece {
                    Some(Ok(LogOutput::StdErr { message })) => {
                        output.output(Stream::Stderr, &message);
                    }
                    Some(Ok(piece)) => output.output(Stream::Stdout, piece.as_ref()),
                    Some(Err(_)) | None => break,
                },
                _ = clock.tick() => sample(),
            }
        }
        self.ended(docker, id).await
    }

    /// How a container ended of which the streams have ended: with it, or with the daemon.
    async fn ended(&self, docker: &Docker, id: &str) -> Result<ContainerState, EngineError> {
        let code = self.wait(docker, id).await?;
        let state = self.state(docker, id).await?;
        Ok(ContainerState { exit_code: Some(code), ..state })
    }

    /// Waits until the container has ended.
    async fn wait(&self, docker: &Docker, id: &str) -> Result<i64, EngineError> {
        let mut news = docker.wait_container(id, None::<WaitContainerOptions>);
        match news.next().await {
            Some(Ok(end)) => Ok(end.status_code),
            // Every code but 0 comes as an error.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) if is_missing(&error) => Err(removed()),
            Some(Err(error)) => Err(gone(self.0, error)),
            None => Ok(137),
        }
    }

    async fn state(&self, docker: &Docker, id: &str) -> Result<ContainerState, EngineError> {
        for _ in 0..LOOKS {
            match docker.inspect_container(id, None::<InspectContainerOptions>).await {
                Ok(found) => return Ok(found.state.unwrap_or_default()),
                // Podman has a state `stopped`, before it has cleaned up, that Docker has not.
                Err(Error::JsonDataError { .. }) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) if is_missing(&error) => return Err(removed()),
                Err(error) => return Err(gone(self.0, error)),
            }
        }
        Ok(ContainerState::default())
    }
}

impl Run<'_> {
    /// Runs it. Whatever happens, the container is gone afterwards.
    pub(in crate::daemon) fn run(
        &self,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        Runner(self.connection).run(self.wish(), output, cancel)
    }

    /// Runs it at a terminal.
    pub(in crate::daemon) fn run_at(
        &self,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        Runner(self.connection).run_at(self.wish(), terminal, cancel)
    }

    /// What the daemon is asked for.
    fn wish(&self) -> Wish {
        let Container { name, command, environment, directory, mounts, network, limits, gpus } =
            self.container;
        let mut variables: Vec<String> =
            environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for (name, value) in [("HOME", "/tmp"), ("TMPDIR", "/tmp")] {
            if !environment.iter().any(|(set, _)| set == name) {
                variables.push(format!("{name}={value}"));
            }
        }
        let user = self.user();
        let kept = if user.starts_with("0:") { &ROOT_KEEPS[..] } else { &[] };
        let mut body = ContainerCreateBody {
            image: self.prepared.layers.first().map(ToString::to_string),
            entrypoint: Some(command.iter().take(1).cloned().collect()),
            cmd: Some(command.iter().skip(1).cloned().collect()),
            env: Some(variables),
            working_dir: Some(
                if directory.as_str().is_empty() { "/" } else { directory.as_str() }.to_owned(),
            ),
            user: Some(user),
            labels: Some(HashMap::from([
                (OWNER.to_owned(), label::this_process()),
                (WRITES.to_owned(), label::writes(mounts)),
            ])),
            host_config: Some(HostConfig {
                mounts: Some(mounts.iter().map(bound).collect()),
                ..bounds(self.traits, kept, *network, limits)
            }),
            ..ContainerCreateBody::default()
        };
        gpu::ask(self.traits.gpus, gpus.as_ref(), &mut body);
        Wish { name: name.clone(), body, remains: None }
    }

    /// Whom the container's processes run as, so that what they write belongs to the caller.
    fn user(&self) -> String {
        if self.traits.rootless {
            return "0:0".to_owned();
        }
        format!("{}:{}", Uid::effective(), Gid::effective())
    }
}

/// What every container of ours is held to, with the capabilities that it keeps.
pub(in crate::daemon) fn bounds(
    traits: &Traits,
    kept: &[&str],
    network: bool,
    limits: &Limits,
) -> HostConfig {
    let memory = limits.memory.filter(|_| traits.memory_limit);
    let memory = memory.map(|size| i64::try_from(size.0).unwrap_or(i64::MAX));
    let mut security = vec!["no-new-privileges".to_owned()];
    if traits.selinux {
        // Relabelling the user's folders, the other way, would outlive the container.
        security.push("label=disable".to_owned());
    }
    HostConfig {
        network_mode: Some(if network { traits.network } else { "none" }.to_owned()),
        memory,
        // As much as memory alone: a build that swaps does not end.
        memory_swap: memory,
        nano_cpus: limits.cpus.map(|cpus| (cpus.min(traits.cpus) * 1e9) as i64),
        pids_limit: limits.processes.and_then(|count| i64::try_from(count).ok()),
        security_opt: Some(security),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(kept.iter().map(|name| (*name).to_owned()).collect()),
        ..HostConfig::default()
    }
}

/// A file or folder of this machine, as daemons mount it.
pub(in crate::daemon) fn bound(mount: &Mount) -> DaemonMount {
    DaemonMount {
        source: Some(mount.source.to_string()),
        target: Some(mount.target.to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(!mount.writable),
        ..DaemonMount::default()
    }
}

/// A container that is removed when this is dropped, running or not.
pub(in crate::daemon) struct Made<'a> {
    connection: &'a Connection,
    pub(in crate::daemon) id: String,
}

impl<'a> Made<'a> {
    /// Has it made, not started.
    pub(in crate::daemon) fn new(
        connection: &'a Connection,
        name: &str,
        wish: ContainerCreateBody,
    ) -> Result<Self, EngineError> {
        let name = label::unique_name(name);
        let asks_for_devices =
            wish.host_config.as_ref().is_some_and(|host| host.device_requests.is_some());
        let id = if connection.kind == EngineKind::Podman && asks_for_devices {
            libpod::create(connection, &name, &wish)?
        } else {
            let options = CreateContainerOptionsBuilder::default().name(&name).build();
            connection.ask(async |docker| docker.create_container(Some(options), wish).await)?.id
        };
        Ok(Self { connection, id })
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        if let Err(error) = sweep::remove(self.connection, &self.id) {
            tracing::warn!(container = self.id, %error, "a container is left, which the next build removes");
        }
    }
}
