//! Any bytes as a module of a wheel and as the library that it is loaded with.
//!
//! The input is cut in two at the first `cut here`; without one, both are the whole of it.

#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use wheelmill_wheel::{Environment, InspectOptions, Wishes, inspect_bytes, judge};
use wheelmill_wheel_fuzz::archive;

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
