//! What engines over daemons can do beyond [`Engine`](crate::Engine): images of the user's own
//! Dockerfiles, and containers of them that keep what they make in a volume.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_model::Digest;

use crate::{
    BuildContext, Cancel, EngineError, Exit, GpuSight, Gpus, Limits, Mount, OutputSink, Terminal,
};

/// An image that is to be built from a Dockerfile.
#[derive(Clone, Debug)]
pub struct ImageBuild {
    /// The name that it gets: `pytorch90builder`.
    pub name: String,
    /// The Dockerfile with its context.
    pub context: BuildContext,
    /// Values of build arguments. Those of proxies need no `ARG` and stay out of the image.
    pub arguments: Vec<(String, String)>,
    /// Whether its instructions reach the network.
    pub network: bool,
    /// Run every instruction anew, whatever the builder remembers.
    pub fresh: bool,
}

/// An image that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// Its identity: `sha256:…`.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The variables that it sets.
    pub environment: BTreeMap<String, String>,
}

/// A volume of the daemon, by name. It is made when it is missing, and never removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Where containers see it: absolute.
    pub target: Utf8PathBuf,
}

/// A command in a container of an image, as the image's own user. Where that is root, it has the
/// rights that installing packages takes; nobody can gain any.
#[derive(Clone, Debug)]
pub struct ImageContainer {
    /// As [`Container::name`](crate::Container::name).
    pub name: String,
    /// The image, by name or identity.
    pub image: String,
    /// The program and its arguments. The entry point of the image is not used.
    pub command: Vec<String>,
    /// Variables over those of the image.
    pub environment: Vec<(String, String)>,
    /// Where it leaves what outlives it.
    pub volume: Volume,
    /// Files of this machine that it sees.
    pub mounts: Vec<Mount>,
    /// Whether the network is reachable.
    pub network: bool,
    /// What it may use.
    pub limits: Limits,
    /// The GPUs that it sees; none when not given.
    pub gpus: Option<Gpus>,
    /// Whether it runs as root, and not as the image's own user.
    pub as_root: bool,
    /// By this key its files are kept when the command fails: see [`ImageBuilder::remains`].
    pub remains: Option<Digest>,
}

/// What builds images from Dockerfiles, and runs containers of them.
///
/// Calls block until done, or until `cancel` is raised: then no container is left.
pub trait ImageBuilder: Send + Sync {
    /// Builds an image and gives it its name. What did not change is taken from the builder's
    /// memory, as `docker build` does.
    ///
    /// # Errors
    /// [`EngineError::Step`] when a command of the Dockerfile failed, [`EngineError::Image`] when
    /// the builder refused it, or the daemon is gone.
    fn build_image(
        &self,
        build: &ImageBuild,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<BuiltImage, EngineError>;

    /// Runs one command to its end.
    ///
    /// # Errors
    /// The container could not be started. A command that fails is not an error: see [`Exit`].
    fn run_image(
        &self,
        container: &ImageContainer,
        output: &mut dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError>;

    /// Runs one command at a terminal, to its end. The caller has put it into raw mode.
    ///
    /// # Errors
    /// The container could not be started, or the terminal is gone.
    fn run_image_at(
        &self,
        container: &ImageContainer,
        terminal: Terminal<'_>,
        cancel: &Cancel,
    ) -> Result<Exit, EngineError>;

    /// The image of what a failed container left.
    ///
    /// # Errors
    /// The daemon is gone.
    fn remains(&self, key: &Digest) -> Result<Option<String>, EngineError>;

    /// Removes what a failed container left, unless somebody looks around in it.
    ///
    /// # Errors
    /// The daemon is gone, or refuses it.
    fn remove_remains(&self, key: &Digest) -> Result<(), EngineError>;

    /// Asks a container of an image which GPUs it has: a wish for some can be granted without a
    /// word, and without a GPU. The variables are those that the wish goes with, such as
    /// `NVIDIA_REQUIRE_CUDA`.
    ///
    /// # Errors
    /// There is no such image, it has no shell, or the daemon is gone.
    fn look_for_gpus(
        &self,
        image: &str,
        gpus: &Gpus,
        variables: &[(String, String)],
        cancel: &Cancel,
    ) -> Result<GpuSight, EngineError>;

    /// Copies a file out of a volume, by its path in containers. It takes an image to look at a
    /// volume; nothing of it is run.
    ///
    /// # Errors
    /// There is no such file, the copy cannot be written, or the daemon is gone.
    fn copy_from_volume(
        &self,
        image: &str,
        volume: &Volume,
        file: &Utf8Path,
        to: &Utf8Path,
        cancel: &Cancel,
    ) -> Result<(), EngineError>;
}
