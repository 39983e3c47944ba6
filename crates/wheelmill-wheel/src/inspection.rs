//! What a wheel is: the outcome of reading one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use wheelmill_model::{Digest, WheelFilename, WheelTag};

use crate::device::{Container, DeviceFile};
use crate::elf::{Linkage, LoadProperties, Machine};
use crate::finding::Finding;
use crate::metadata::Metadata;

/// Everything that reading a wheel tells.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// The file's name, taken apart.
    pub file_name: WheelFilename,
    /// Bytes of the file.
    #[serde(rename = "size-bytes")]
    pub size: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What METADATA says.
    pub metadata: Metadata,
    /// The tags that WHEEL carries; the file name has its own.
    pub wheel_tags: Vec<WheelTag>,
    /// What WHEEL says of the scheme: whether the root goes to purelib rather than platlib.
    pub root_is_purelib: bool,
    /// How many entries the archive has, folders included.
    pub entries: usize,
    /// Bytes of all entries when unpacked.
    #[serde(rename = "unpacked-size-bytes")]
    pub unpacked_size: u64,
    /// The native modules and libraries, by path.
    pub modules: Vec<NativeModule>,
    /// GPU code in files of its own, by path.
    pub device_files: Vec<DeviceFile>,
    /// What reading found: the zip, RECORD, names, modules.
    pub findings: Vec<Finding>,
    /// Whether every device image was unpacked and checked.
    pub deep: bool,
    /// The path of every file, in the order of the archive.
    #[serde(skip)]
    pub files: Vec<String>,
}

/// One ELF file of a wheel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NativeModule {
    /// Its path within the wheel.
    pub path: String,
    /// The name that `import` finds it under, when it is a Python extension module:
    /// `torchsort.isotonic_cuda`.
    pub import_name: Option<String>,
    /// Bytes of the file.
    #[serde(rename = "size-bytes")]
    pub size: u64,
    /// The machine it runs on.
    pub machine: Machine,
    /// The name other libraries need it by.
    pub soname: Option<String>,
    /// The libraries it needs.
    pub needed: Vec<String>,
    /// The folders of DT_RPATH.
    pub rpath: Vec<String>,
    /// The folders of DT_RUNPATH.
    pub runpath: Vec<String>,
    /// The symbol versions it needs, by library: `libc.so.6` → `GLIBC_2.17`, ….
    pub symbol_versions: BTreeMap<String, Vec<String>>,
    /// The functions that it calls of the driver's library, by name: `cuMemAlloc_v2`, ….
    pub driver_functions: Vec<String>,
    /// What else it asks of the loader.
    pub properties: LoadProperties,
    /// The GPU code in it.
    pub device_code: Vec<Container>,
    /// What the loader reads of it.
    #[serde(skip)]
    pub(crate) linkage: Arc<Linkage>,
}

impl NativeModule {
    /// The containers that the CUDA runtime loads kernels from: the executable ones that hold code
    /// at all.
    pub fn executable_containers(&self) -> impl Iterator<Item = &Container> {
        self.device_code.iter().filter(|container| !container.relocatable && !container.is_stub())
    }
}
