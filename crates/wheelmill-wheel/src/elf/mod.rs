//! Native modules: what the loader would see, and where device code lies.

mod facts;
mod machine;
mod module;
mod properties;
mod symbols;

pub(crate) use facts::{DeviceSection, is_cubin};
pub use machine::Machine;
pub use module::read_module;
pub(crate) use module::{installed_path, is_python_module, python_of};
pub(crate) use module::{python_name, read};
pub use properties::{IsaLevel, LoadProperties};
pub(crate) use symbols::{Linkage, Undefined, is_cxx11};

/// How every ELF file starts.
pub(crate) const MAGIC: &[u8] = b"\x7fELF";
