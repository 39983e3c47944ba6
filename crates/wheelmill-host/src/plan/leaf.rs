//! The keys of the daemon's settings that are ours, and how the daemon shows that it follows them.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wheelmill_engine::DaemonReport;
use wheelmill_recipe::{HostSection, NvidiaRuntime};

use super::change::Action;

/// The name under which NVIDIA's runtime is registered: what images and programs ask for.
pub(crate) const NVIDIA: &str = "nvidia";

/// What a daemon must say of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expectation {
    /// The runtime `nvidia` is this program.
    Runtime(Utf8PathBuf),
    /// There is no runtime `nvidia`.
    NoRuntime,
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
    /// What a daemon says that has read a value at a place of its settings, or none there; none
    /// where that depends on more.
    fn of(path: &[&str], value: Option<&Value>) -> Option<Self> {
        match path {
            ["runtimes", NVIDIA] if value.is_none() => return Some(Self::NoRuntime),
            ["default-address-pools"] if value.is_none() => return Some(Self::Pools(Vec::new())),
            _ => {}
        }
        let value = value?;
        let text = || value.as_str().map(str::to_owned);
        let pool = |pool: &Value| Some((pool["base"].as_str()?.to_owned(), pool["size"].as_i64()?));
        Some(match path {
            ["runtimes", NVIDIA] => Self::Runtime(value["path"].as_str()?.into()),
            ["runtimes", NVIDIA, "path"] => Self::Runtime(text()?.into()),
            ["features", "cdi"] => Self::Cdi(value.as_bool()?),
            ["data-root"] => Self::DataRoot(text()?.into()),
            ["storage-driver"] => Self::Driver(text()?),
            ["bip"] => Self::BridgeAddress(text()?),
            ["bridge"] => Self::Bridge(text()?),
            ["default-address-pools"] => {
                Self::Pools(value.as_array()?.iter().map(pool).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    /// What a daemon says of the same before a change: as its settings have it, else as it does.
    pub(crate) fn before(
        &self,
        path: &[&str],
        from: Option<&Value>,
        report: &DaemonReport,
    ) -> Option<Self> {
        if from.is_some() {
            return Self::of(path, from);
        }
        Some(match self {
            Self::Runtime(_) | Self::NoRuntime => match report.runtimes.get(NVIDIA) {
                None => Self::NoRuntime,
                Some(runtime) => Self::Runtime(runtime.path.as_ref()?.into()),
            },
            Self::Cdi(_) => Self::Cdi(!report.cdi_folders.as_ref()?.is_empty()),
            Self::DataRoot(_) => Self::DataRoot(report.root.clone()),
            Self::Driver(_) => Self::Driver(report.driver.clone()),
            Self::BridgeAddress(_) => Self::BridgeAddress(report.bridge_address.clone()?),
            Self::Bridge(_) => Self::Bridge(report.bridge.clone()?),
            Self::Pools(_) => Self::Pools(report.address_pools.clone()),
        })
    }

    /// Whether it holds; none where the daemon is too old to tell.
    pub(crate) fn holds(&self, report: &DaemonReport) -> Option<bool> {
        Some(match self {
            Self::Runtime(program) => {
                let runtime = report.runtimes.get(NVIDIA);
                runtime.is_some_and(|runtime| runtime.path.as_deref() == Some(program.as_str()))
            }
            Self::NoRuntime => !report.runtimes.contains_key(NVIDIA),
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
            Self::NoRuntime => "there is no runtime `nvidia`".to_owned(),
            Self::Cdi(true) => "CDI is on".to_owned(),
            Self::Cdi(false) => "CDI is off".to_owned(),
            Self::DataRoot(folder) => format!("images lie in `{folder}`"),
            Self::Driver(driver) => format!("the storage driver is `{driver}`"),
            Self::BridgeAddress(address) => format!("the bridge has the address {address}"),
            Self::Bridge(bridge) => format!("the bridge is `{bridge}`"),
            Self::Pools(pools) if pools.is_empty() => {
                "networks are taken from Docker's own".to_owned()
            }
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
    /// None for a key that is to be away.
    pub(super) value: Option<Value>,
    /// What the daemon needs before it follows. All but the runtimes is ignored by a reload, and
    /// without a word (tried with 20.10 and 29).
    pub(super) action: Action,
    pub(super) expectation: Expectation,
}

impl Leaf {
    fn new(path: &[&'static str], value: Option<Value>, action: Action) -> Self {
        let expectation = Expectation::of(path, value.as_ref()).expect("a wish has its type");
        Self { path: path.to_vec(), value, action, expectation }
    }

    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The value as an option of the command line would have it.
    pub(super) fn as_option(&self) -> Option<&str> {
        self.value.as_ref()?.as_str()
    }
}

/// The keys that a wish is about.
pub(super) fn leaves(wish: &HostSection) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut add =
        |path: &[&'static str], value, action| leaves.push(Leaf::new(path, value, action));
    match &wish.nvidia_runtime {
        Some(NvidiaRuntime::Program(program)) => {
            add(&["runtimes", NVIDIA, "path"], Some(json!(program)), Action::Reload);
        }
        Some(NvidiaRuntime::Absent) => add(&["runtimes", NVIDIA], None, Action::Reload),
        None => {}
    }
    if let Some(cdi) = wish.cdi {
        add(&["features", "cdi"], Some(json!(cdi)), Action::Restart);
    }
    if let Some(folder) = &wish.data_root {
        add(&["data-root"], Some(json!(folder)), Action::Restart);
    }
    if let Some(driver) = &wish.storage_driver {
        add(&["storage-driver"], Some(json!(driver)), Action::Restart);
    }
    match (&wish.bridge, wish.bridge_address) {
        (Some(bridge), _) => add(&["bridge"], Some(json!(bridge)), Action::Restart),
        (None, Some(address)) => add(&["bip"], Some(json!(address)), Action::Restart),
        (None, None) => {}
    }
    if let Some(pools) = &wish.address_pools {
        let value = (!pools.is_empty()).then(|| json!(pools));
        add(&["default-address-pools"], value, Action::Restart);
    }
    leaves
}
