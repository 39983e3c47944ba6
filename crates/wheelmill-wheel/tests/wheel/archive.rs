//! Damaged and dishonest archives: each is refused or gets an error finding, and an honest one
//! gets neither.

use wheelmill_wheel::{InspectOptions, Limits, WheelError, Wishes, inspect_bytes, judge};

use crate::build::{NAME, Wheel, Zip, ZipEntry, codes, read};

const METADATA: &str = "demo-1.0.dist-info/METADATA";
const INIT: &str = "demo/__init__.py";

fn patch(zip: &mut Zip, at: usize, bytes: &[u8]) {
    zip.bytes[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The wheel must be read, with an error finding of this code.
fn finds(code: &str, zip: &Zip) {
    let inspection = read(&zip.bytes).unwrap_or_else(|error| panic!("{code}: {error}"));
    let found = codes(&inspection.findings);
    assert!(found.contains(&code), "{code} is not among {found:?}");
    assert!(!judge(&inspection, &Wishes::default()).passed, "{code}");
}

/// The wheel must not be read, for this reason.
fn refuses(reason: &str, bytes: &[u8]) {
    let error = read(bytes).expect_err(reason).to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn an_honest_wheel_has_no_findings() {
    for wheel in [
        Wheel::default(),
        Wheel::default().file("demo/empty.py", ""),
        Wheel::default()
            .entry(ZipEntry {
                mode: 0o040_755,
                deflate: false,
                ..ZipEntry::new("demo/folder/", "")
            })
            .record(Wheel::default().fitting_record()),
        Wheel::default()
            .entry(ZipEntry { descriptor: true, ..ZipEntry::new("demo/a.py", "a = 1\n") }),
        Wheel::default()
            .entry(ZipEntry { deflate: false, ..ZipEntry::new("demo/é.py", "a = 1\n") }),
        Wheel::default().file("demo/zeros.bin", vec![0; 1 << 20]),
    ] {
        let inspection = read(&wheel.bytes()).unwrap();
        assert_eq!(inspection.findings, []);
        assert!(judge(&inspection, &Wishes::default()).passed);
    }
}

#[test]
fn the_zip_writer_of_others_is_understood() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let record = Wheel::default().fitting_record();
    let wheel = Wheel::default().file("demo-1.0.dist-info/RECORD", record).bare_zip();
    let mut reader = zip::ZipArchive::new(std::io::Cursor::new(wheel.bytes)).unwrap();
    for index in 0..reader.len() {
        let mut file = reader.by_index(index).unwrap();
        // Both sizes of header: with and without the fields for large files.
        let options = zip::write::SimpleFileOptions::default().large_file(index % 2 == 0);
        writer.start_file(file.name().unwrap(), options).unwrap();
        std::io::copy(&mut file, &mut writer).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(read(&bytes).unwrap().findings, []);
}

#[test]
fn archives_that_outgrew_32_bits_are_read() {
    let mut wide = Wheel::default().zip();
    wide.widen();
    assert_eq!(read(&wide.bytes).unwrap().findings, []);
    let record = wide.end;
    let changed = |at: usize, bytes: &[u8]| {
        let mut wide = wide.clone();
        patch(&mut wide, at, bytes);
        wide
    };
    refuses("64-bit end record is missing", &changed(record, b"X").bytes);
    refuses("64-bit end record is not where", &changed(record + 56 + 8, &[1]).bytes);
    refuses("64-bit end record has an unusual size", &changed(record + 4, &[45]).bytes);
    refuses("in several parts", &changed(record + 16, &[1]).bytes);
    // The narrow record says something else than "see the wide one".
    finds("zip.zip64", &changed(record + 76 + 8, &[1, 0, 1, 0]));
}

#[test]
fn names_that_lead_elsewhere_are_errors() {
    for name in
        ["../evil.py", "/etc/cron.d/x", "demo/../../x", "demo\\x.py", "C:/x.py", "demo//x.py"]
    {
        finds("zip.unsafe-name", &Wheel::default().file(name, "x").zip());
    }
}

#[test]
fn special_files_are_errors() {
    for (mode, code) in [
        (0o120_777, "zip.special-file"),
        (0o020_666, "zip.special-file"),
        (0o040_755, "zip.special-file"),
        (0o104_755, "zip.setuid"),
    ] {
        finds(
            code,
            &Wheel::default().entry(ZipEntry { mode, ..ZipEntry::new("demo/x", "y") }).zip(),
        );
    }
    let folder = ZipEntry { mode: 0o040_755, ..ZipEntry::new("demo/folder/", "hidden") };
    finds("zip.special-file", &Wheel::default().entry(folder).zip());
}

#[test]
fn names_that_collide_are_told() {
    let mut zip = Wheel::default().file("demo/__init__.pX", "other").zip();
    let place = zip.place("demo/__init__.pX").clone();
    for at in [place.local + 30, place.central + 46] {
        patch(&mut zip, at, INIT.as_bytes());
    }
    finds("zip.duplicate-name", &zip);
    finds("zip.file-as-folder", &Wheel::default().file("demo", "x").zip());
    let case = Wheel::default().file("demo/__INIT__.py", "x").bytes();
    assert_eq!(codes(&read(&case).unwrap().findings), ["zip.case-collision"]);
    let two_ways = ZipEntry { flags: 0, ..ZipEntry::new("demo/é.py", "x") };
    finds("zip.name-encoding", &Wheel::default().entry(two_ways).zip());
    let second_name =
        ZipEntry { extra: b"\x75\x70\x01\0x".to_vec(), ..ZipEntry::new("demo/a.py", "x") };
    finds("zip.name-encoding", &Wheel::default().entry(second_name).zip());
}

#[test]
fn headers_that_contradict_each_other_are_errors() {
    let zip = Wheel::default().zip();
    let place = zip.place(INIT).clone();
    // Name, method, flags, checksum, packed size, size of the local header.
    for (offset, bytes) in
        [(30, &b"X"[..]), (8, &[0, 0]), (6, &[0, 8]), (14, &[1]), (18, &[1]), (22, &[1])]
    {
        let mut zip = zip.clone();
        patch(&mut zip, place.local + offset, bytes);
        finds("zip.header-mismatch", &zip);
    }
    let mut deferred = Wheel::default()
        .entry(ZipEntry { descriptor: true, ..ZipEntry::new("demo/a.py", "a") })
        .zip();
    let place = deferred.place("demo/a.py").clone();
    patch(&mut deferred, place.data + place.packed + 8, &[77]);
    finds("zip.descriptor-mismatch", &deferred);
}

#[test]
fn bytes_that_belong_to_nothing_are_errors() {
    let zip = Wheel::default().zip();
    for (at, code) in [
        (0, "zip.prefix"),
        (zip.place(METADATA).local, "zip.gap"),
        (zip.directory, "zip.gap"),
        (zip.bytes.len(), "zip.trailing-data"),
    ] {
        let mut zip = zip.clone();
        zip.insert(at, b"something else");
        finds(code, &zip);
    }
    let mut behind_directory = zip.clone();
    behind_directory.bytes.splice(zip.end..zip.end, *b"something else");
    finds("zip.gap", &behind_directory);
    let mut comment = zip.clone();
    patch(&mut comment, zip.end + 20, &[5, 0]);
    comment.bytes.extend(b"hello");
    finds("zip.comment", &comment);
}

#[test]
fn entries_that_share_bytes_are_errors() {
    let mut zip = Wheel::default().file("demo/a.py", "a").file("demo/b.py", "a").zip();
    let (first, second) = (zip.place("demo/a.py").local as u32, zip.place("demo/b.py").central);
    patch(&mut zip, second + 42, &first.to_le_bytes());
    finds("zip.overlap", &zip);
}

#[test]
fn contents_that_are_not_what_is_announced_are_errors() {
    let zip = Wheel::default().zip();
    let place = zip.place(INIT).clone();
    let both = |offset: usize, bytes: &[u8]| {
        let mut zip = zip.clone();
        patch(&mut zip, place.local + offset, bytes);
        // The fields stand two bytes later in the directory.
        patch(&mut zip, place.central + offset + 2, bytes);
        zip
    };
    finds("zip.crc-mismatch", &both(14, &[1, 2, 3, 4]));
    finds("zip.size-mismatch", &both(22, &[3, 0]));
    finds("zip.size-mismatch", &both(22, &[0, 3]));
    finds("zip.encrypted", &both(6, &[1]));
    finds("zip.method", &both(8, &[93]));
    finds("zip.bomb", &both(22, &[0, 0, 0, 0xf0]));
    let mut broken = zip.clone();
    patch(&mut broken, place.data, &[0xff; 8]);
    finds("zip.damaged-data", &broken);
    let mut changed =
        Wheel::default().entry(ZipEntry { deflate: false, ..ZipEntry::new("a.py", "abc") }).zip();
    let data = changed.place("a.py").data;
    patch(&mut changed, data, b"x");
    finds("zip.crc-mismatch", &changed);
    finds("record.hash-mismatch", &changed);
}

#[test]
fn a_wheel_whose_description_is_destroyed_is_a_damaged_wheel() {
    let broken = |name: &str| {
        let mut zip = Wheel::default().zip();
        let data = zip.place(&format!("demo-1.0.dist-info/{name}")).data;
        patch(&mut zip, data, &[0xff; 8]);
        read(&zip.bytes)
    };
    let error = broken("METADATA").unwrap_err();
    assert!(matches!(error, WheelError::Damaged { .. }), "{error}");
    // That it is there, and damaged, is one thing and not two.
    for name in ["RECORD", "WHEEL"] {
        let codes = codes(&broken(name).unwrap().findings);
        let missing = ["record.missing", "wheel-file.missing"];
        assert!(codes.contains(&"zip.damaged-data"), "{codes:?}");
        assert!(!codes.iter().any(|code| missing.contains(code)), "{codes:?}");
    }
}

#[test]
fn archives_that_cannot_be_followed_are_refused() {
    let zip = Wheel::default().zip();
    refuses("not a zip archive", b"#!/bin/sh\necho hello\n");
    refuses("not a zip archive", &[0; 100]);
    for length in [zip.bytes.len() - 1, zip.end, zip.directory + 10, 40] {
        refuses("cut off", &zip.bytes[..length]);
    }
    let at_end = |offset: usize, bytes: &[u8]| {
        let mut zip = zip.clone();
        let end = zip.end;
        patch(&mut zip, end + offset, bytes);
        zip.bytes
    };
    refuses("one part of an archive in several parts", &at_end(4, &[1, 0]));
    refuses("announced", &at_end(8, &[9, 0, 9, 0]));
    refuses("reaches beyond the end", &at_end(16, &[0xff, 0xff, 0xff, 0x7f]));
    refuses("64-bit end record is missing", &at_end(16, &[0xff; 4]));
    refuses("within its own comment", &at_end(20, &[5, 0]));
    assert!(matches!(read(b""), Err(WheelError::Empty { .. })));
}

#[test]
fn archives_that_cost_too_much_are_refused() {
    let bytes = Wheel::default().bytes();
    for limits in [
        Limits { entries: 3, ..Limits::default() },
        Limits { directory: 100, ..Limits::default() },
        Limits { total: 100, ..Limits::default() },
        Limits { text: 10, ..Limits::default() },
    ] {
        let options = InspectOptions { limits, ..InspectOptions::default() };
        let error = inspect_bytes(NAME, &bytes, &options).unwrap_err();
        assert!(matches!(error, WheelError::Unsafe { .. }), "{limits:?}: {error}");
    }
}
