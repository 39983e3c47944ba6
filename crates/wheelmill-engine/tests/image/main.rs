//! Images, from evil tars to a real registry.

mod build;
mod evil;
mod files;
mod overlay;
mod real_registry;
mod registry;
mod server;
mod sharing;
mod support;
mod unpack;
