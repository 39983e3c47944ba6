//! The keys of the daemon's settings that are ours, and how the daemon shows that it follows them.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wheelmill_engine::DaemonReport;
use wheelmill_recipe::HostSection;

use super::change::Action;

/// The name under which NVIDIA's runtime is registered: what images and programs ask for.
const NVIDIA: &str = "nvidia";

/// What a daemon must say of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expectation {
    /// The runtime `nvidia` is this program.
    Runtime(Utf8PathBuf),
    /// CDI is on, or off.
    Cdi(bool),
    /// Images lie here.
    DataRoot(Utf8PathBuf),
    /// They are kept so.
    Driver(String),
    /// The default bridge has this address.
    BridgeAddress(String),
    /// The default bridge is this device.
    Bridge(String),
    /// Networks are taken from these.
    Pools(Vec<(String, i64)>),
}

impl Expectation {
    /// Whether it holds; none where the daemon is too old to tell.
    pub(crate) fn holds(&self, report: &DaemonReport) -> Option<bool> {
        Some(match self {
            Self::Runtime(program) => {
                let runtime = report.runtimes.get(NVIDIA);
                runtime.is_some_and(|runtime| runtime.path.as_deref() == Some(program.as_str()))
            }
            Self::Cdi(on) => report.cdi_folders.as_ref()?.is_empty() != *on,
            // With user namespaces the daemon works in a folder below.
            Self::DataRoot(folder) => {
                let real = folder.canonicalize_utf8().unwrap_or_else(|_| folder.clone());
                report.root.starts_with(folder) || report.root.starts_with(real)
            }
            Self::Driver(driver) => report.driver == *driver,
            Self::BridgeAddress(address) => report.bridge_address.as_ref() == Some(address),
            Self::Bridge(bridge) => report.bridge.as_ref() == Some(bridge),
            Self::Pools(pools) => report.address_pools == *pools,
        })
    }

    /// What it says, for a sentence: "the runtime …".
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Runtime(program) => format!("the runtime `nvidia` is `{program}`"),
            Self::Cdi(true) => "CDI is on".to_owned(),
            Self::Cdi(false) => "CDI is off".to_owned(),
            Self::DataRoot(folder) => format!("images lie in `{folder}`"),
            Self::Driver(driver) => format!("the storage driver is `{driver}`"),
            Self::BridgeAddress(address) => format!("the bridge has the address {address}"),
            Self::Bridge(bridge) => format!("the bridge is `{bridge}`"),
            Self::Pools(pools) => {
                let pools: Vec<&str> = pools.iter().map(|(base, _)| base.as_str()).collect();
                format!("networks are taken from {}", pools.join(", "))
            }
        }
    }
}

/// One key with its wished value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    pub(super) path: Vec<&'static str>,
    pub(super) value: Value,
    /// What the daemon needs before it follows. All but the runtimes is ignored by a reload, and
    /// without a word (tried with 20.10 and 29).
    pub(super) action: Action,
    pub(super) expectation: Expectation,
}

impl Leaf {
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The value as an option of the command line would have it.
    pub(super) fn as_option(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// The keys that a wish is about.
pub(super) fn leaves(wish: &HostSection) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut add = |path: &[&'static str], value: Value, action, expectation| {
        leaves.push(Leaf { path: path.to_vec(), value, action, expectation });
    };
    if let Some(program) = &wish.nvidia_runtime {
        let expectation = Expectation::Runtime(program.clone());
        add(&["runtimes", NVIDIA, "path"], json!(program), Action::Reload, expectation);
    }
    if let Some(cdi) = wish.cdi {
        add(&["features", "cdi"], json!(cdi), Action::Restart, Expectation::Cdi(cdi));
    }
    if let Some(folder) = &wish.data_root {
        let expectation = Expectation::DataRoot(folder.clone());
        add(&["data-root"], json!(folder), Action::Restart, expectation);
    }
    if let Some(driver) = &wish.storage_driver {
        let expectation = Expectation::Driver(driver.clone());
        add(&["storage-driver"], json!(driver), Action::Restart, expectation);
    }
    match (&wish.bridge, wish.bridge_address) {
        (Some(bridge), _) => {
            let expectation = Expectation::Bridge(bridge.clone());
            add(&["bridge"], json!(bridge), Action::Restart, expectation);
        }
        (None, Some(address)) => {
            let expectation = Expectation::BridgeAddress(address.to_string());
            add(&["bip"], json!(address), Action::Restart, expectation);
        }
        (None, None) => {}
    }
    if let Some(pools) = &wish.address_pools {
        let pairs = pools.iter().map(|pool| (pool.base.to_string(), i64::from(pool.size)));
        let expectation = Expectation::Pools(pairs.collect());
        add(&["default-address-pools"], json!(pools), Action::Restart, expectation);
    }
    leaves
}
