//! The checks: functions over the facts, one topic a file.

mod cdi;
mod daemon;
mod diagnose;
mod disk;
mod driver;
mod embedded;
mod engine;
mod network;
mod runtime;
mod security;
mod service;
mod settings;
mod storage;
mod toolkit;
mod volume;
mod way;

pub use diagnose::diagnose;
