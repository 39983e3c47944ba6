//! Files as users hand them over.

use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use tempfile::TempDir;
use wheelmill_model::Digest;
use wheelmill_wheel::{InspectOptions, WheelError, inspect};

use crate::build::{Elf, Fatbin, NAME, Wheel, fixture};

fn folder() -> (TempDir, camino::Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_file_is_read_as_its_bytes_are() {
    let (_kept, folder) = folder();
    let bytes = Wheel::default().extension(&fixture("size.fatbin")).bytes();
    let file = folder.join(NAME);
    fs_err::write(&file, &bytes).unwrap();
    let inspection = inspect(&file, &InspectOptions::default()).unwrap();
    assert_eq!(inspection.digest, Digest::of(&bytes));
    assert_eq!(inspection.size, bytes.len() as u64);
    assert_eq!(inspection.entries, 5);
    let json = serde_json::to_value(&inspection).unwrap();
    assert_eq!(json["file-name"], NAME);
    assert_eq!(json["modules"][0]["device-code"][0]["images"][0]["arch"], "sm_80");
}

#[test]
fn large_modules_are_looked_at_in_the_scratch_folder_and_leave_nothing_there() {
    let (_kept, folder) = folder();
    // A module larger than what is held in memory, its device code behind plain data.
    let module = Elf::default()
        .section(".data", &vec![7; 33 << 20])
        .section(".nv_fatbin", &Fatbin::default().cubin("sm_90").write());
    let wheel = Wheel::default().file("demo/_C.so", module.write());
    let file = folder.join(NAME);
    fs_err::write(&file, wheel.bytes()).unwrap();
    let scratch = folder.join("scratch");
    fs_err::create_dir(&scratch).unwrap();
    let with = |scratch| inspect(&file, &InspectOptions { scratch, ..InspectOptions::default() });
    let inspection = with(Some(scratch.clone())).unwrap();
    assert_eq!(inspection.modules, with(None).unwrap().modules);
    assert_eq!(inspection.modules[0].device_code.len(), 1);
    assert_eq!(fs_err::read_dir(&scratch).unwrap().count(), 0);
    let error = with(Some(folder.join("nowhere"))).unwrap_err();
    assert!(matches!(error, WheelError::Scratch { .. }), "{error}");
}

#[test]
fn what_is_no_readable_file_is_named_with_the_reason() {
    let (_kept, folder) = folder();
    let say = |file: &Utf8Path| {
        let error = inspect(file, &InspectOptions::default()).unwrap_err();
        assert!(error.to_string().contains(file.as_str()), "{error}");
        error
    };
    assert!(matches!(say(&folder.join(NAME)), WheelError::Open { .. }));
    assert!(matches!(say(&folder), WheelError::NotAFile { what: "a folder", .. }));
    let empty = folder.join(NAME);
    fs_err::write(&empty, "").unwrap();
    assert!(matches!(say(&empty), WheelError::Empty { .. }));
    let text = folder.join("notes.txt");
    fs_err::write(&text, "hello").unwrap();
    assert!(matches!(say(&text), WheelError::Name { .. }));
    // Root reads files that nobody may read.
    fs_err::set_permissions(&empty, std::fs::Permissions::from_mode(0o000)).unwrap();
    if fs_err::File::open(&empty).is_err() {
        assert!(matches!(say(&empty), WheelError::Open { .. }));
    }
}
