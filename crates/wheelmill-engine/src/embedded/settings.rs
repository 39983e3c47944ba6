//! What the embedded engine is told by its caller.

use camino::Utf8PathBuf;
use wheelmill_model::NetworkSettings;

use crate::Isolation;

/// What the embedded engine needs to know.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The program to execute as helper: it must call [`helper_main`](crate::helper_main) first
    /// thing. Usually the running program's own path.
    pub program: Utf8PathBuf,
    /// Where finished layers are kept, for all runs: a folder on a local disk.
    pub layers: Utf8PathBuf,
    /// Where what containers write is kept while they run: a folder on a local disk.
    pub scratch: Utf8PathBuf,
    /// How far containers are kept from the machine; the best that it allows when not given.
    pub isolation: Option<Isolation>,
    /// Folders of the host that no container sees, wherever they lie: the user's home.
    pub hidden: Vec<Utf8PathBuf>,
    /// How registries are reached.
    pub network: NetworkSettings,
}
