//! Tests of the crate from outside: wheels are built here byte by byte, then read, judged, damaged
//! and read again.

#![expect(clippy::unwrap_used, reason = "what cannot be built fails its test")]

mod archive;
mod build;
mod device;
mod files;
mod finishing;
mod identity;
mod judging;
mod linking;
mod mutation;
mod platform;
mod record;
