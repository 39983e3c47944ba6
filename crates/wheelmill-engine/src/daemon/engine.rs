//! The engine over a daemon.

use std::fs::{File, TryLockError};
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::Digest;

use super::connection::Connection;
use super::container::gpu_look;
use super::container::of_image;
use super::container::run::{Run, Runner};
use super::container::volume;
use super::image::base;
use super::image::remains;
use super::image::step::{StepBuild, image_name};
use super::image::user::UserBuild;
use super::settings::DaemonSettings;
use super::sweep;
use super::traits::Traits;
use crate::image::{config, pin};
use crate::{
    Base, BuiltImage, Cancel, Container, Engine, EngineError, EngineKind, Environment, Exit,
    Finding, GpuSight, Gpus, Hold, ImageBuild, ImageBuilder, ImageContainer, Isolation, OutputSink,
    PrepareListener, Prepared, Probe, Severity, Terminal, Volume, lock, quiet,
};

/// The engine that lets Docker or Podman run containers.
#[derive(Debug)]
pub struct DaemonEngine {
    pub(super) settings: DaemonSettings,
    daemon: OnceLock<Daemon>,
}

/// A daemon that has answered.
#[derive(Debug)]
struct Daemon {
    connection: Connection,
    traits: Traits,
}

impl DaemonEngine {
    /// An engine; asks nobody yet.
    #[must_use]
    pub const fn new(settings: DaemonSettings) -> Self {
        Self { settings, daemon: OnceLock::new() }
    }

    /// Whether a daemon of this kind answers at its sockets. Nothing is changed.
    #[must_use]
    pub fn answers(&self) -> bool {
        let DaemonSettings { kind, sockets, .. } = &self.settings;
        let there: Vec<_> = sockets.iter().filter(|socket| socket.exists()).cloned().collect();
        let found = Connection::find(*kind, &there).ok();
        found.is_some_and(|daemon| {
            Traits::ask(&daemon, &self.settings.cdi).is_ok_and(|traits| traits.is(*kind))
        })
    }

    /// The daemon. The first time, what dead programs left with it is removed.
    fn daemon(&self) -> Result<&Daemon, EngineError> {
        if let Some(daemon) = self.daemon.get() {
            return Ok(daemon);
        }
        let (connection, traits) = self.connect()?;
        // What is in the way of nobody is tried again by the next.
        if let Err(error) = sweep::sweep(&connection) {
            tracing::warn!(%error, "could not remove all that a program which is gone has left");
        }
        Ok(self.daemon.get_or_init(|| Daemon { connection, traits }))
    }

    /// The connection to the daemon, with what dead programs left removed.
    pub(super) fn swept(&self) -> Result<&Connection, EngineError> {
        Ok(&self.daemon()?.connection)
    }

    /// Finds the daemon, and changes nothing.
    pub(super) fn connect(&self) -> Result<(Connection, Traits), EngineError> {
        let connection = Connection::find(self.settings.kind, &self.settings.sockets)?;
        let traits = Traits::ask(&connection, &self.settings.cdi)?;
        if !traits.is(self.settings.kind) {
            return Err(EngineError::Unable {
                what: format!("a container of {}", self.settings.kind),
                why: format!("what answers at `{}` is another program", connection.socket),
                fix: "choose the engine that answers there with `--engine`".to_owned(),
            });
        }
        Ok((connection, traits))
    }

    /// Where the locks of images lie.
    pub(super) fn locks(&self) -> Utf8PathBuf {
        self.settings.images.join("steps").join(self.settings.kind.as_str())
    }

    /// Takes the lock of a step's image: to use it with others, or alone to make it.
    fn hold(
        &self,
        key: &Digest,
        take: fn(&File) -> Result<(), TryLockError>,
        cancel: &Cancel,
        waiting: &mut dyn FnMut(),
    ) -> Result<File, EngineError> {
        let folder = self.locks();
        let path = folder.join(lock_name(key));
        let failed = |source| EngineError::Files { action: "lock", path: path.clone(), source };
        fs_err::create_dir_all(&folder).map_err(failed)?;
        lock::wait(&path, take, cancel, waiting).map_err(failed)?.ok_or(EngineError::Cancelled)
    }

    /// The lock of a step's image, and whether the image is there; with an image that is not, the
    /// caller is the one who makes it.
    fn find(
        &self,
        connection: &Connection,
        key: &Digest,
        cancel: &Cancel,
        waiting: &mut dyn FnMut(),
    ) -> Result<(File, bool), EngineError> {
        let name = image_name(key);
        let shared = self.hold(key, File::try_lock_shared, cancel, waiting)?;
        if base::inspect(connection, &name)?.is_some() {
            return Ok((shared, true));
        }
        drop(shared);
        let alone = self.hold(key, File::try_lock, cancel, waiting)?;
        if base::inspect(connection, &name)?.is_none() {
            return Ok((alone, false));
        }
        // Somebody else has made it while we waited for the lock.
        drop(alone);
        Ok((self.hold(key, File::try_lock_shared, cancel, &mut || {})?, true))
    }

    /// The variables that an image sets, if the daemon has it.
    fn variables_of(
        daemon: &Daemon,
        image: &str,
    ) -> Result<Option<Vec<(String, String)>>, EngineError> {
        let Some(found) = base::inspect(&daemon.connection, image)? else { return Ok(None) };
        let variables = found.config.and_then(|config| config.env).unwrap_or_default();
        let pair = |text: &String| {
            text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        Ok(Some(variables.iter().filter_map(pair).collect()))
    }
}

/// The name of the lock of a step's image.
pub(super) fn lock_name(key: &Digest) -> String {
    format!("{key}.lock")
}

impl Engine for DaemonEngine {
    fn kind(&self) -> EngineKind {
        self.settings.kind
    }

    fn probe(&self) -> Probe {
        let engine = self.settings.kind;
        match self.daemon() {
            Ok(Daemon { connection, traits }) => {
                let rights = if traits.rootless { "rootless" } else { "as root" };
                let (version, socket) = (&traits.version, &connection.socket);
                let mut findings = Vec::new();
                if !traits.memory_limit {
                    findings.push(Finding {
                        severity: Severity::Warning,
                        message: format!("{engine} cannot limit the memory of containers here"),
                        fix: None,
                    });
                }
                Probe {
                    engine,
                    summary: format!("{version}, {rights}, at {socket}"),
                    isolation: Some(Isolation::Overlay),
                    findings,
                }
            }
            Err(error) => {
                let fix = match &error {
                    EngineError::Unable { fix, .. } => Some(fix.clone()),
                    _ => None,
                };
                let finding =
                    Finding { severity: Severity::Problem, message: error.to_string(), fix };
                Probe {
                    engine,
                    summary: "does not answer".to_owned(),
                    isolation: None,
                    findings: vec![finding],
                }
            }
        }
    }

    fn builder(&self) -> Option<&dyn ImageBuilder> {
        Some(self)
    }

    fn pin(&self, base: &Base) -> Result<Base, EngineError> {
        if let Base::Image(name) = base
            && base.digest().is_err()
            && let Some(found) = base::inspect(&self.daemon()?.connection, name)?
            && let Some(pinned) = base::pinned_name(&found)
        {
            return Ok(Base::Image(pinned));
        }
        pin(base, &self.settings.network)
    }

    fn variables(&self, base: &Base) -> Result<Vec<(String, String)>, EngineError> {
        if let Base::Image(name) = base
            && let Some(variables) = Self::variables_of(self.daemon()?, name)?
        {
            return Ok(variables);
        }
        let DaemonSettings { images, network, .. } = &self.settings;
        Ok(config(base, images, network, &Cancel::new())?.env)
    }

    fn digest(&self, environment: &Environment) -> Result<Digest, EngineError> {
        environment.digest()
    }

    fn prepare(
        &self,
        environment: &Environment,
        listener: &mut dyn PrepareListener,
        cancel: &Cancel,
    ) -> Result<Prepared, EngineError> {
        let mut digest = environment.base.digest()?;
        let daemon = self.daemon()?;
        let Daemon { connection, traits } = daemon;
        let total = environment.steps.len();
        // The base is needed only by the first step that is not there.
        let mut image = None;
        let mut held = Vec::new();
        for (index, step) in environment.steps.iter().enumerate() {
            let key = step.key(&digest);
            let name = image_name(&key);
            let mut waiting = || listener.waiting(&step.title);
            let (mut lock, is_there) = self.find(connection, &key, cancel, &mut waiting)?;
            listener.step(index, total, step, is_there);
            if !is_there {
                let from = match image {
                    Some(image) => image,
                    None => base::bring(connection, &environment.base, listener, cancel)?,
                };
                let build = StepBuild { connection, traits, step, key, from: &from };
                build.run(listener.output(), cancel)?;
                drop(lock);
                lock = self.hold(&key, File::try_lock_shared, cancel, &mut || {})?;
            }
            lock::note_use(&lock, &step.title);
            held.push(lock);
            digest = key;
            image = Some(name);
        }
        let image = match image {
            Some(image) => image,
            None => base::bring(connection, &environment.base, listener, cancel)?,
        };
        let environment_of_image = Self::variables_of(daemon, &image)?.unwrap_or_default();
        Ok(Prepared {
            digest,
            layers: vec![image.into()],
            folder: environment.folder.clone(),
            environment: environment_of_image,
            hold: Hold::of(held),
        })
    }

    fn look_for_gpus(
        &self,
        prepared: &Prepared,
        gpus: &Gpus,
        variables: &[(String, String)],
        cancel: &Cancel,
    ) -> Result<GpuSight, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        gpu_look::look(connection, traits, prepared.layers[0].as_str(), gpus, variables, cancel)
    }

    fn run(
        &self,
        prepared: &Prepared,
        container: &Container,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        Run { connection, traits, prepared, container }.run(output, cancel)
    }

    fn vacate(&self, folder: &Utf8Path, cancel: &Cancel) -> Result<(), EngineError> {
        sweep::vacate(self.swept()?, folder, cancel)?;
        // What another engine, or a daemon that is gone, has left there.
        quiet::wait(folder, cancel)
    }

    fn run_at(
        &self,
        prepared: &Prepared,
        container: &Container,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        Run { connection, traits, prepared, container }.run_at(terminal, cancel)
    }
}

impl ImageBuilder for DaemonEngine {
    fn build_image(
        &self,
        build: &ImageBuild,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<BuiltImage, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        UserBuild { connection, traits, build, scratch: &self.settings.images }.run(output, cancel)
    }

    fn run_image(
        &self,
        container: &ImageContainer,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        volume::ensure(connection, &container.volume)?;
        Runner(connection).run(of_image::container(traits, container), output, cancel)
    }

    fn run_image_at(
        &self,
        container: &ImageContainer,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        volume::ensure(connection, &container.volume)?;
        Runner(connection).run_at(of_image::container(traits, container), terminal, cancel)
    }

    fn remains(&self, key: &Digest) -> Result<Option<String>, EngineError> {
        remains::find(&self.daemon()?.connection, key)
    }

    fn remove_remains(&self, key: &Digest) -> Result<(), EngineError> {
        remains::remove(&self.daemon()?.connection, key)
    }

    fn look_for_gpus(
        &self,
        image: &str,
        gpus: &Gpus,
        variables: &[(String, String)],
        cancel: &Cancel,
    ) -> Result<GpuSight, EngineError> {
        let Daemon { connection, traits } = self.daemon()?;
        gpu_look::look(connection, traits, image, gpus, variables, cancel)
    }

    fn copy_from_volume(
        &self,
        image: &str,
        volume: &Volume,
        file: &Utf8Path,
        to: &Utf8Path,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        volume::copy(&self.daemon()?.connection, image, volume, file, to, cancel)
    }
}
