//! Any bytes as a shared object: ELF tables and containers of device code.
//!
//! The files of `tests/fixtures` within a small shared object make a good corpus.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wheelmill_wheel::{InspectOptions, read_module};

fuzz_target!(|bytes: &[u8]| {
    let options = InspectOptions { deep: true, ..InspectOptions::default() };
    drop(read_module("demo/_C.so", bytes, &options));
});
