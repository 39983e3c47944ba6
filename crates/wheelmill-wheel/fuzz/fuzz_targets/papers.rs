//! Any texts as METADATA, WHEEL, RECORD and entry points, in an archive that is sound.
//!
//! The input is cut at its zero bytes, one text after the other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wheelmill_wheel::{InspectOptions, inspect_bytes};
use wheelmill_wheel_fuzz::archive;

fuzz_target!(|bytes: &[u8]| {
    let mut texts = bytes.split(|byte| *byte == 0);
    let names = ["METADATA", "WHEEL", "RECORD", "entry_points.txt"];
    let files = names.map(|name| {
        // A first line that is indented goes on with the summary, not with the version.
        let metadata = b"Name: demo\nVersion: 1.0\nSummary: demo\n";
        let prefix: &[u8] = if name == "METADATA" { metadata } else { b"" };
        let text = [prefix, texts.next().unwrap_or_default()].concat();
        (format!("demo-1.0.dist-info/{name}"), text)
    });
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    let name = "demo-1.0-cp311-cp311-linux_x86_64.whl";
    inspect_bytes(name, &archive(&files), &InspectOptions::default())
        .expect("the archive is sound");
});
