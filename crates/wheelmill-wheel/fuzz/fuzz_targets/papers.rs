//! Any texts as METADATA, WHEEL, RECORD and entry points, in an archive that is sound.
//!
//! The input is cut at its zero bytes, one text after the other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wheelmill_wheel::{InspectOptions, inspect_bytes};

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
    let name = "demo-1.0-cp311-cp311-linux_x86_64.whl";
    inspect_bytes(name, &archive(&files), &InspectOptions::default())
        .expect("the archive is sound");
});

/// A zip archive of stored files. Checksums are left at zero: a wrong one is only a finding.
fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let offset = body.len() as u32;
        let mut common = [20_u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
        common.extend([0, text.len() as u32, text.len() as u32].map(u32::to_le_bytes).concat());
        common.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        body.extend(b"PK\x03\x04");
        body.extend(&common);
        body.extend(name.as_bytes());
        body.extend(text);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = body.len() as u32;
    body.extend(&directory);
    body.extend(b"PK\x05\x06\0\0\0\0");
    body.extend([files.len() as u16; 2].map(u16::to_le_bytes).concat());
    body.extend([directory.len() as u32, start].map(u32::to_le_bytes).concat());
    body.extend([0; 2]);
    body
}
