//! Gets things from outside, each checked against a hash before anybody uses it.

mod archive;
mod client;
mod index;
mod pin;
mod tool;
mod trouble;
mod turns;

pub(crate) use archive::{ArchiveError, unpack};
pub(crate) use client::Client;
pub use client::FetchError;
pub(crate) use index::{Index, newest};
pub use pin::PinError;
pub(crate) use pin::{PinnedSource, folder_digest, pin, source_files};
pub(crate) use tool::{CCACHE, UV};
pub use trouble::IndexError;
