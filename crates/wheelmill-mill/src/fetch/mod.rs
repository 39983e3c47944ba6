//! Gets things from outside, each checked against a hash before anybody uses it.

mod archive;
mod client;
mod index;
mod pin;
mod trouble;
mod turns;
mod uv;

pub(crate) use archive::{ArchiveError, unpack};
pub(crate) use client::Client;
pub use client::FetchError;
pub(crate) use index::{Index, newest};
pub use pin::PinError;
pub(crate) use pin::{PinnedSource, folder_digest, pin, source_files};
pub use trouble::IndexError;
pub(crate) use uv::{ensure as ensure_uv, program as uv_program};
