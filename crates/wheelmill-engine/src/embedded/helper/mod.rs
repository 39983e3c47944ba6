//! The helper process: what runs when the program executes itself again.
//!
//! Everything here runs in a process with a single thread, so forking and entering namespaces are
//! safe. Nothing here is called in the program itself but [`helper_main`].

mod bind;
mod capabilities;
mod cgroup;
mod descendants;
mod entry;
mod errand;
mod init;
mod links;
mod memory;
mod mounts;
mod namespace;
mod network;
mod overlay;
mod plain;
mod processors;
mod read_only;
mod root;
mod seccomp;
mod supervise;
mod sys;
mod target;

pub(super) use entry::MARKER;
pub use entry::helper_main;
