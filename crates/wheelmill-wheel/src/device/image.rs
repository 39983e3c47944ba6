//! Containers of GPU code and the images in them.

use std::fmt;

use serde::{Serialize, Serializer};
use wheelmill_model::{CudaArch, CudaVersion, Feature};

/// What sort of GPU code an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageKind {
    /// Machine code.
    Cubin,
    /// Text that the driver compiles for GPUs at least as new.
    Ptx,
    /// Code for a device link with optimisation; runs on nothing by itself.
    LtoIr,
    /// A kind unknown here, by its number in the container.
    Unknown(u16),
}

impl fmt::Display for ImageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cubin => formatter.pad("cubin"),
            Self::Ptx => formatter.pad("ptx"),
            Self::LtoIr => formatter.pad("lto-ir"),
            Self::Unknown(number) => formatter.pad(&format!("unknown-{number}")),
        }
    }
}

impl Serialize for ImageKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How an image is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    None,
    /// By LZ4, the habit of CUDA 11 and 12.
    Lz4,
    /// By Zstandard, the habit of CUDA 13.
    Zstd,
}

/// One piece of GPU code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// What sort of code it is.
    pub kind: ImageKind,
    /// The architecture it was made for.
    pub arch: CudaArch,
    /// How it is packed.
    pub compression: Compression,
    /// Bytes in the file. Images that were packed together each give the size of the whole.
    #[serde(rename = "packed-size-bytes")]
    pub packed_size: u64,
    /// Bytes once unpacked.
    #[serde(rename = "size-bytes")]
    pub size: u64,
    /// The version its header gives: of the PTX language for PTX, of the cubin format for cubins.
    pub version: (u16, u16),
    /// The source file or object that it was made from, where the compiler noted it.
    pub identifier: Option<String>,
    /// Whether it was compiled for a debugger.
    pub debug: bool,
    /// Whether it was packed in one piece with its neighbours (`nvcc --concat`).
    pub grouped: bool,
    /// How many kernels and device functions it defines; `None` where it was not unpacked.
    pub functions: Option<u32>,
    /// The CUDA release whose tools made it; `None` where it was not unpacked, or does not say.
    /// Cubins say it from CUDA 13 on.
    pub toolkit: Option<CudaVersion>,
}

impl Image {
    /// Whether the GPU `device` runs it as it is.
    #[must_use]
    pub fn runs_natively_on(&self, device: CudaArch) -> bool {
        self.kind == ImageKind::Cubin && self.arch.runs_on(device)
    }

    /// Whether the driver of the GPU `device` can compile it: plain PTX for its own number or a
    /// lower one, PTX of a chip or a family for that chip or family alone.
    #[must_use]
    pub fn compiles_for(&self, device: CudaArch) -> bool {
        self.kind == ImageKind::Ptx
            && match self.arch.feature {
                Feature::Base => self.arch.number <= device.number,
                Feature::Family | Feature::Specific => self.arch.runs_on(device),
            }
    }
}

/// A container of images: what one translation unit, or one device link, was compiled to. The CUDA
/// runtime picks one image of each container, so that a GPU is served only when every container
/// serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Container {
    /// The section it lies in.
    pub section: String,
    /// Where in the file it starts.
    pub offset: u64,
    /// Whether its images await a device link and cannot run as they are.
    pub relocatable: bool,
    /// The images, in order.
    pub images: Vec<Image>,
}

impl Container {
    /// Whether all its code was made for single chips or families, which nobody does by accident:
    /// such kernels are chosen at run time, beside others that serve the rest.
    #[must_use]
    pub fn is_specialised(&self) -> bool {
        self.images.iter().all(|image| image.arch.feature != Feature::Base)
    }

    /// Whether it is known to define no function at all, as the containers do that a device link
    /// leaves behind. It asks nothing of a GPU and offers nothing.
    #[must_use]
    pub fn is_stub(&self) -> bool {
        self.images.iter().all(|image| image.functions == Some(0))
    }
}
