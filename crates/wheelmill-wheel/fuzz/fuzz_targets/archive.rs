//! Any bytes as a wheel.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wheelmill_wheel::{InspectOptions, Wishes, inspect_bytes, judge};

fuzz_target!(|bytes: &[u8]| {
    let options = InspectOptions { deep: true, ..InspectOptions::default() };
    if let Ok(inspection) = inspect_bytes("demo-1.0-cp311-cp311-linux_x86_64.whl", bytes, &options)
    {
        drop(judge(&inspection, &Wishes::default()));
    }
});
