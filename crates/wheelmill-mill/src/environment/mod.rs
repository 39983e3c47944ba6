//! What a cell's container holds: the base, the toolchain and the build requirements, as ordered
//! steps that are shared by all cells that need them.

mod compose;
mod network;
pub(crate) mod paths;
mod resolve;
mod system;
mod toolchain;

pub(crate) use compose::{Composer, search_path};
pub(crate) use network::ambient;
pub(crate) use resolve::{Requirements, ResolveError, resolve};
pub(crate) use toolchain::{Toolchain, choose};
