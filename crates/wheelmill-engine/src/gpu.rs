//! GPUs that containers are to see.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The GPUs that a container is to see, in the words of NVIDIA's container toolkit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpus {
    /// `all`, or numbers and UUIDs with commas between: a value of `NVIDIA_VISIBLE_DEVICES`.
    pub devices: String,
    /// What of the driver comes with them: a value of `NVIDIA_DRIVER_CAPABILITIES`.
    pub capabilities: String,
}

impl Gpus {
    /// The variable that names the GPUs.
    pub const DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";
    /// The variable that names what of the driver is wanted.
    pub const CAPABILITIES: &str = "NVIDIA_DRIVER_CAPABILITIES";
    /// The value of [`Self::DEVICES`] that asks for nothing, whatever the image says.
    pub const VOID: &str = "void";
    /// What programs that compute, and `nvidia-smi`, need of the driver.
    pub const COMPUTE: &str = "compute,utility";

    /// GPUs to compute on: `all` of them, or the named ones.
    #[must_use]
    pub fn of(devices: &str) -> Self {
        Self { devices: devices.to_owned(), capabilities: Self::COMPUTE.to_owned() }
    }

    /// The names of the single GPUs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.devices.split(',').map(str::trim).filter(|name| !name.is_empty())
    }
}

/// What containers really see of the GPUs that they ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuSight {
    /// These devices.
    Seen {
        /// How they come in: `CDI`, `the runtime nvidia`, `--gpus`.
        way: String,
        /// `/dev/nvidia0`.
        devices: Vec<String>,
    },
    /// None.
    Unseen {
        /// The reason.
        why: String,
        /// What to do about it.
        fix: String,
    },
}

impl fmt::Display for GpuSight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen { way, devices } => write!(formatter, "{} by {way}", devices.join(", ")),
            Self::Unseen { why, .. } => write!(formatter, "none: {why}"),
        }
    }
}
