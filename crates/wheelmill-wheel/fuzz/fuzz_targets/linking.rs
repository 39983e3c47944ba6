//! Any bytes as a module of a wheel and as the library that it is loaded with.
//!
//! The input is cut in two at the first `cut here`; without one, both are the whole of it.

#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use wheelmill_wheel::{Environment, InspectOptions, Wishes, inspect_bytes, judge};

const CUT: &[u8] = b"cut here";

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.windows(CUT.len()).position(|window| window == CUT);
    let (module, library) = match cut {
        Some(at) => (&bytes[..at], &bytes[at + CUT.len()..]),
        None => (bytes, bytes),
    };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = Utf8Path::from_path(folder.path()).expect("its name is UTF-8");
    std::fs::create_dir_all(path.join("torch/lib")).expect("there is room for a folder");
    std::fs::create_dir(path.join("torch-2.11.0.dist-info")).expect("there is room for a folder");
    std::fs::write(path.join("torch/lib/libc10.so"), library).expect("there is room for a file");
    let wishes = Wishes { environment: Environment::read(path).ok(), ..Wishes::default() };
    let name = "demo-1.0-cp311-cp311-linux_x86_64.whl";
    let files = [
        ("demo-1.0.dist-info/METADATA", &b"Name: demo\nVersion: 1.0\n"[..]),
        ("demo/_C.so", module),
    ];
    let inspection = inspect_bytes(name, &archive(&files), &InspectOptions::default())
        .expect("the archive is sound");
    drop(judge(&inspection, &wishes));
});

/// A zip archive of stored files. Checksums are left at zero: a wrong one is only a finding.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let offset = body.len() as u32;
        let mut common = [20_u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
        common.extend([0, bytes.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat());
        common.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        body.extend(b"PK\x03\x04");
        body.extend(&common);
        body.extend(name.as_bytes());
        body.extend(*bytes);
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
