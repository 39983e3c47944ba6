//! What is known of the driver.

use serde::Serialize;

use crate::requirement::{Driver, Gpu};

/// NVIDIA's driver, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NvidiaDriver {
    /// The version of the driver that is loaded: `535.129.03`.
    pub version: Option<String>,
    /// The newest CUDA release that it supports, as it says itself: `12.2`.
    pub cuda: Option<String>,
    /// The GPUs that it drives.
    pub gpus: Vec<NvidiaGpu>,
    /// How many GPUs of NVIDIA's are on the machine's bus, with a driver or without.
    pub on_bus: usize,
    /// Why `nvidia-smi` says nothing, in its own words.
    pub trouble: Option<String>,
}

/// A GPU, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NvidiaGpu {
    /// `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// `GPU-` and a UUID.
    pub uuid: Option<String>,
    /// Its compute capability: `9.0`.
    pub compute_capability: Option<String>,
}

impl NvidiaDriver {
    /// Whether there is anything of NVIDIA's: a driver, or a GPU without one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.version.is_some() || !self.gpus.is_empty() || self.on_bus > 0
    }

    /// What conditions of images are compared with.
    #[must_use]
    pub fn for_requirements(&self) -> Driver {
        let version = |text: Option<&String>| text.and_then(|text| text.parse().ok());
        let gpu =
            |gpu: &NvidiaGpu| Gpu { arch: version(gpu.compute_capability.as_ref()), brand: None };
        Driver {
            version: version(self.version.as_ref()),
            cuda: version(self.cuda.as_ref()),
            gpus: self.gpus.iter().map(gpu).collect(),
        }
    }
}
