//! Writes containers of device code, and finds those that nvcc wrote.

use wheelmill_model::{CudaArch, Feature};

/// How an image is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Lz4,
    Zstd,
}

/// A container that is being put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fatbin(Vec<u8>);

impl Fatbin {
    /// Adds a cubin with one kernel.
    pub(crate) fn cubin(self, arch: &str) -> Self {
        let code = cubin(arch, &["kernel"]);
        self.image(2, arch, Packing::Plain, &code)
    }

    /// Adds PTX with one kernel.
    pub(crate) fn ptx(self, arch: &str) -> Self {
        let code = ptx(arch);
        self.image(1, arch, Packing::Plain, code.as_bytes())
    }

    /// Adds an image of any kind.
    pub(crate) fn image(mut self, kind: u16, arch: &str, packing: Packing, code: &[u8]) -> Self {
        let arch: CudaArch = arch.parse().unwrap();
        let (flag, packed) = match packing {
            Packing::Plain => (0, code.to_vec()),
            Packing::Lz4 => (0x2000, lz4_flex::block::compress(code)),
            // Another implementation than the one that unpacks.
            Packing::Zstd => (0x8000, {
                use ruzstd::encoding::{CompressionLevel, compress_to_vec};
                compress_to_vec(code, CompressionLevel::Fastest)
            }),
        };
        let letter = match arch.feature {
            Feature::Base => 0,
            Feature::Specific => 0x10_0000,
            Feature::Family => 0x20_0000,
        };
        let padded = packed.len().next_multiple_of(8);
        let is_packed = packing != Packing::Plain;
        let body = &mut self.0;
        body.extend([kind, 0x0101].map(u16::to_le_bytes).concat());
        body.extend(64_u32.to_le_bytes());
        body.extend((padded as u64).to_le_bytes());
        body.extend(
            [if is_packed { packed.len() as u32 } else { 0 }, 0].map(u32::to_le_bytes).concat(),
        );
        // PTX 9.0, and the cubin format of these years.
        let (major, minor) = if kind == 1 { (9, 0) } else { (1, 8) };
        body.extend([minor, major].map(u16::to_le_bytes).concat());
        body.extend([u32::from(arch.number), 0, 0].map(u32::to_le_bytes).concat());
        body.extend([0x11 | flag | letter, 0].map(u64::to_le_bytes).concat());
        body.extend((if is_packed { code.len() as u64 } else { 0 }).to_le_bytes());
        body.extend(&packed);
        body.resize(body.len() + padded - packed.len(), 0);
        self
    }

    /// The container.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = 0xba55_ed50_u32.to_le_bytes().to_vec();
        bytes.extend([1_u16, 16].map(u16::to_le_bytes).concat());
        bytes.extend((self.0.len() as u64).to_le_bytes());
        bytes.extend(&self.0);
        bytes
    }
}

/// A cubin that defines kernels.
pub(crate) fn cubin(arch: &str, kernels: &[&str]) -> Vec<u8> {
    let arch: CudaArch = arch.parse().unwrap();
    let mut elf = super::Elf::default().machine(190);
    for kernel in kernels {
        elf = elf.section(&format!(".text.{kernel}"), &[0; 16]);
    }
    let mut bytes = elf.write();
    bytes[8] = 8;
    bytes[48..52].copy_from_slice(&(u32::from(arch.number) << 8).to_le_bytes());
    bytes
}

/// PTX that defines one kernel.
pub(crate) fn ptx(arch: &str) -> String {
    format!(".version 9.0\n.target {arch}\n.address_size 64\n.visible .entry kernel() {{ ret; }}\n")
}

/// What nvcc wrote: a file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    fs_err::read(format!("{folder}/{name}")).unwrap()
}
