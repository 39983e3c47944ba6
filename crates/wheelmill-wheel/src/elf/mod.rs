//! Native modules: what the loader would see, and where device code lies.

mod facts;
mod machine;
mod module;
mod properties;

pub(crate) use facts::{DeviceSection, is_cubin};
pub use machine::Machine;
pub(crate) use module::installed_path;
pub(crate) use module::read;
pub use module::read_module;
pub use properties::{IsaLevel, LoadProperties};

/// How every ELF file starts.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";
