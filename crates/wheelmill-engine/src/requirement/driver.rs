//! What conditions are compared with.

use super::Dotted;

/// The machine's driver and its GPUs, as far as they are known. Empty: nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// The version of the kernel driver: `535.129.03`.
    pub version: Option<Dotted>,
    /// The newest CUDA release that the driver supports.
    pub cuda: Option<Dotted>,
    /// The GPUs that containers would see.
    pub gpus: Vec<Gpu>,
}

/// A GPU, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gpu {
    /// Its compute capability: `9.0`.
    pub arch: Option<Dotted>,
    /// Its brand, as the driver spells it: `GeForce`.
    pub brand: Option<String>,
}

impl Driver {
    /// What is known of it, for a sentence: `driver 535.129.03 supports CUDA 12.2`.
    pub(super) fn described(&self) -> String {
        let mut parts = Vec::new();
        match (&self.version, &self.cuda) {
            (Some(version), Some(cuda)) => {
                parts.push(format!("driver {version} supports CUDA {cuda}"));
            }
            (Some(version), None) => {
                parts.push(format!("driver {version} does not say which CUDA it supports"));
            }
            (None, Some(cuda)) => parts.push(format!("driver supports CUDA {cuda}")),
            (None, None) => parts.push("driver is not known".to_owned()),
        }
        for gpu in &self.gpus {
            let brand = gpu.brand.as_deref().unwrap_or("of unknown brand");
            let arch = gpu.arch.as_ref().map_or_else(|| "unknown".to_owned(), Dotted::to_string);
            parts.push(format!("a GPU is {brand}, compute capability {arch}"));
        }
        parts.dedup();
        parts.join("; ")
    }
}
