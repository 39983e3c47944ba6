//! What a daemon's engine is told by its caller.

use camino::Utf8PathBuf;
use wheelmill_model::NetworkSettings;

use crate::EngineKind;

/// What the engine of a daemon needs to know.
#[derive(Clone, Debug)]
pub struct DaemonSettings {
    /// Docker or Podman.
    pub kind: EngineKind,
    /// Sockets where it may answer, the likeliest first.
    pub sockets: Vec<Utf8PathBuf>,
    /// A folder for what is read of images that the daemon does not have.
    pub images: Utf8PathBuf,
    /// Folders with CDI specifications: `/etc/cdi`, `/var/run/cdi`.
    pub cdi: Vec<Utf8PathBuf>,
    /// How registries are reached, for the digest of an image that the daemon does not have.
    pub network: NetworkSettings,
}
