//! What a cell's container holds: the base, the toolchain and the build requirements, as ordered
//! steps that are shared by all cells that need them.

mod compose;
mod network;
pub(crate) mod paths;
mod requirements;
mod resolve;
mod system;
mod toolchain;

pub(crate) use compose::{Composer, search_path};
pub(crate) use network::{ambient, ambient_at};
pub(crate) use requirements::Requirements;
pub(crate) use resolve::{ResolveError, resolve};
pub(crate) use toolchain::{FIRST_ON_PYPI, Toolchain, Toolkit, choose, image_with};
