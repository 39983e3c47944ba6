//! Images: pulled from a registry or read from a file, and unpacked into layer folders that an
//! overlay can be made of.
//!
//! [`pin`] says which bytes a name means, [`layers`] makes the folders, [`config`] tells what a
//! container has to know of the image. All three block; only `registry` knows an asynchronous
//! client. What an image holds is trusted in nothing: see [`unpack`].

mod archive;
mod compression;
mod credentials;
mod error;
mod failure;
mod file;
mod layers;
mod maker;
mod manifest;
mod reference;
mod registry;
mod remove;
mod sink;
mod source;
mod store;
mod transport;
mod unpack;

pub(crate) use file::{Form, form_of};
pub use layers::{LayerRequest, Unpacker, config, layers, layers_with, pin};
pub use manifest::ImageConfig;
pub use registry::REGISTRY_CREDENTIALS;
pub(crate) use remove::remove_tree;
pub(crate) use unpack::set_attribute;
pub use unpack::{LayerSource, UnpackError, UnpackJob, UnpackOptions, Unpacked, XattrMode, unpack};
