//! Finished wheels: what is changed, what stays, and that everybody reads them.

use std::io::Read as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use tempfile::TempDir;
use wheelmill_wheel::{
    Finish, FinishError, InspectOptions, Inspection, Pin, WheelError, finish, inspect,
};

use crate::build::{NAME, Wheel, ZipEntry, module};

/// A folder with a wheel, and one for what comes of it.
struct Place(TempDir);

impl Place {
    fn with(bytes: &[u8]) -> Self {
        let place = Self(TempDir::new().unwrap());
        fs_err::write(place.path().join(NAME), bytes).unwrap();
        fs_err::create_dir(place.path().join("out")).unwrap();
        place
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    fn finish(&self, wishes: &Finish) -> Result<Utf8PathBuf, FinishError> {
        let finished = finish(&self.path().join(NAME), wishes, &self.path().join("out"))?;
        assert_eq!(read(&finished.path).digest, finished.digest);
        Ok(finished.path)
    }
}

fn read(path: &Utf8Path) -> Inspection {
    inspect(path, &InspectOptions { deep: true, ..InspectOptions::default() }).unwrap()
}

fn labelled() -> Finish {
    Finish {
        local_label: Some("cu130torch2.11".to_owned()),
        pin: Some(Pin { package: "torch".parse().unwrap(), release: "2.11".parse().unwrap() }),
        ..Finish::default()
    }
}

/// The names in an archive, and one of its files, by another reader.
fn unzip(path: &Utf8Path, name: &str) -> (Vec<String>, String) {
    let mut archive = zip::ZipArchive::new(fs_err::File::open(path).unwrap()).unwrap();
    let names = archive.file_names().map(|name| name.unwrap().to_string()).collect();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    (names, text)
}

#[test]
fn the_label_and_the_pin_are_wherever_they_belong() {
    let wheel = Wheel::default()
        .file(&module("_C"), crate::build::Elf::default().init("_C").write())
        .file("demo-1.0.data/scripts/demo,x", "#!python\n")
        .file("demo-1.0.dist-info/RECORD.jws", "signature")
        .entry(ZipEntry { mode: 0o100_755, ..ZipEntry::new("demo/run", "#!/bin/sh\n") });
    let place = Place::with(&wheel.bytes());
    let path = place.finish(&labelled()).unwrap();
    let name = "demo-1.0+cu130torch2.11-cp311-cp311-linux_x86_64.whl";
    assert_eq!(path.file_name(), Some(name));
    let inspection = read(&path);
    assert_eq!(inspection.findings, []);
    assert_eq!(inspection.metadata.version.to_string(), "1.0+cu130torch2.11");
    assert_eq!(inspection.metadata.requires_dist, ["torch==2.11.*"]);

    let (names, record) = unzip(&path, "demo-1.0+cu130torch2.11.dist-info/RECORD");
    assert_eq!(
        names,
        [
            "demo-1.0+cu130torch2.11.data/scripts/demo,x",
            &module("_C"),
            "demo/__init__.py",
            "demo/run",
            "demo-1.0+cu130torch2.11.dist-info/METADATA",
            "demo-1.0+cu130torch2.11.dist-info/WHEEL",
            "demo-1.0+cu130torch2.11.dist-info/RECORD",
        ]
        .map(|name| if name == module("_C") { module("_C") } else { name.to_owned() })
    );
    assert!(
        record.starts_with("\"demo-1.0+cu130torch2.11.data/scripts/demo,x\",sha256="),
        "{record}"
    );
    assert!(record.ends_with("demo-1.0+cu130torch2.11.dist-info/RECORD,,\n"), "{record}");
    let mut archive = zip::ZipArchive::new(fs_err::File::open(&path).unwrap()).unwrap();
    for (file, mode) in [("demo/run", 0o100_755), ("demo/__init__.py", 0o100_644)] {
        assert_eq!(archive.by_name(file).unwrap().unix_mode(), Some(mode), "{file}");
    }
    // A finished wheel can be finished again, and stays what it is.
    let again = finish(&path, &labelled(), place.path()).unwrap();
    assert_eq!(again.digest, inspection.digest);
}

#[test]
fn how_an_archive_was_packed_does_not_show() {
    let large: Vec<u8> = (0..5_000_000_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
    let files = [("demo/a.py", b"a = 1\n".to_vec()), ("demo/large.bin", large)];
    let packed = |deflate: bool, reverse: bool| {
        let mut files = files.to_vec();
        if reverse {
            files.reverse();
        }
        let mut wheel = Wheel::default();
        for (name, bytes) in files {
            wheel = wheel.entry(ZipEntry { deflate, ..ZipEntry::new(name, bytes) });
        }
        Place::with(&wheel.bytes())
    };
    let digest = |place: &Place, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let path = pool.install(|| place.finish(&labelled())).unwrap();
        assert_eq!(read(&path).findings, []);
        read(&path).digest
    };
    let one = digest(&packed(true, false), 1);
    assert_eq!(digest(&packed(false, true), 1), one);
    assert_eq!(digest(&packed(true, true), 3), one);
}

#[test]
fn what_is_damaged_is_not_finished() {
    let wheel = Wheel::default();
    let record = wheel.fitting_record();
    let (changed, digit) =
        (record.replacen("sha256=", "sha256=0", 1), record.replacen(",320", ",321", 1));
    let mut flipped = wheel.zip();
    let data = flipped.place("demo/__init__.py").data;
    flipped.bytes[data + 3] ^= 0x40;
    let mut trailing = wheel.bytes();
    trailing.extend(b"more");
    for bytes in [
        wheel.clone().record(changed).bytes(),
        wheel.clone().record(digit).bytes(),
        wheel.clone().record(record.clone()).file("demo/unlisted.py", "").bytes(),
        wheel.clone().file("../outside.py", "").bytes(),
        wheel.bare_zip().bytes,
        flipped.bytes,
        trailing,
        Vec::new(),
    ] {
        let place = Place::with(&bytes);
        let error = place.finish(&labelled()).unwrap_err();
        assert!(
            matches!(
                error,
                FinishError::Damaged { .. } | FinishError::Wheel(WheelError::NotAWheel { .. })
            ),
            "{error:?}"
        );
        assert_eq!(place.path().join("out").read_dir_utf8().unwrap().count(), 0);
    }
}

#[test]
fn a_contradiction_is_told_and_nothing_is_written() {
    let metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: torch<2.9\n";
    let place = Place::with(&Wheel::default().info("METADATA", metadata).bytes());
    let error = place.finish(&labelled()).unwrap_err();
    assert!(matches!(error, FinishError::Pin(_)), "{error:?}");
    let wrong = Finish { requires: vec!["numpy >=".to_owned()], ..Finish::default() };
    assert!(matches!(place.finish(&wrong).unwrap_err(), FinishError::Requirement(_)));
    assert_eq!(place.path().join("out").read_dir_utf8().unwrap().count(), 0);
}

#[test]
fn pip_and_pythons_own_reader_take_it() {
    let python = |arguments: &[&str]| {
        let output = Command::new("python3").args(arguments).env("PIP_NO_INDEX", "1").output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let metadata =
        "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: é\n\nRequires-Dist: x\n";
    let wheel = Wheel::default()
        .info("WHEEL", wheel)
        .info("METADATA", metadata)
        .info("entry_points.txt", "[console_scripts]\ndemo = demo:main\n")
        .file("demo-1.0.data/data/share/demo/a b.txt", "text")
        .file("demo/ü,\"quoted\".txt", "text");
    let place = Place::with(&wheel.bytes());
    let source = place.path().join("demo-1.0-py3-none-any.whl");
    fs_err::rename(place.path().join(NAME), &source).unwrap();
    let wishes = Finish { pin: None, ..labelled() };
    let finished = finish(&source, &wishes, &place.path().join("out")).unwrap().path;
    python(&["-m", "zipfile", "-t", finished.as_str()]);
    let target = place.path().join("installed");
    let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
    python(&[&arguments[..], &[target.as_str(), finished.as_str()]].concat());
    assert!(target.join("demo/ü,\"quoted\".txt").is_file());
    let script = format!(
        "import sys; sys.path.insert(0, {:?}); import demo; from importlib.metadata import version, files; \
         print(version('demo'), demo.VERSION, len(files('demo')))",
        target.as_str()
    );
    assert!(python(&["-c", &script]).starts_with("1.0+cu130torch2.11 1.0 "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_in_it_reads_back_without_a_finding(
        files in prop::collection::btree_map(
            "[a-zé][a-z0-9 ,\"_-]{0,12}[a-z0-9]",
            (prop::collection::vec(any::<u8>(), 0..3000), any::<bool>(), any::<bool>()),
            0..12,
        ),
        label in prop::option::of("[a-z0-9]{1,5}(\\.[a-z0-9]{1,5}){0,3}"),
        epoch in prop::option::of(any::<u64>()),
    ) {
        let mut wheel = Wheel::default();
        let mut texts = Vec::new();
        for (name, (bytes, deflate, runs)) in files {
            let name = format!("demo/{name}.txt");
            let mode = if runs { 0o100_755 } else { 0o100_600 };
            texts.push((name.clone(), bytes.clone()));
            let entry = ZipEntry { deflate, mode, ..ZipEntry::new(&name, bytes) };
            wheel = wheel.entry(entry);
        }
        let place = Place::with(&wheel.bytes());
        let wishes = Finish { local_label: label, epoch, ..labelled() };
        let path = place.finish(&wishes).unwrap();
        prop_assert_eq!(read(&path).findings, []);
        let mut archive = zip::ZipArchive::new(fs_err::File::open(&path).unwrap()).unwrap();
        for (name, bytes) in texts {
            let mut found = Vec::new();
            archive.by_name(&name).unwrap().read_to_end(&mut found).unwrap();
            prop_assert_eq!(found, bytes, "{}", name);
        }
    }
}
