//! `wheelmill wheels`, on a store with two wheels.

use camino::Utf8Path;
use insta::{Settings, assert_snapshot};
use serde_json::json;
use wheelmill_model::{CellKey, Digest, RunId};
use wheelmill_store::{NewWheel, StoredWheel};

use crate::fixture::Place;

/// Stores a file of this content as the wheel of a Python.
fn add(place: &Place, python: &str, content: &str) -> StoredWheel {
    let tag = format!("cp{}", python.replace('.', ""));
    let name = format!("torchsort-0.1.10+cu130torch2.11-{tag}-{tag}-linux_x86_64.whl");
    let file = place.write(&name, content);
    let wheel = NewWheel {
        key: CellKey(Digest::of(python.as_bytes())),
        cell: format!("torchsort-0.1.10-cu130-torch2.11-{tag}-sm90"),
        spec: json!({ "cuda": "13.0", "torch": "2.11", "python": python, "architectures": "9.0" }),
        verdict: json!({
            "summary": "sm_90 natively; no PTX for newer GPUs",
            "not-checked": [{ "what": "run on a GPU", "why": "there is none" }],
        }),
        passed: true,
        run: RunId::from_text("20261122-104637-003f"),
    };
    let added = place.store().add_wheel(&file, &wheel).unwrap();
    fs_err::remove_file(file).unwrap();
    added.wheel
}

/// A store whose wheels have digests that begin alike: `1b…` and `1e…`.
fn two_wheels() -> (Place, [StoredWheel; 2]) {
    let place = Place::new();
    let wheels = [add(&place, "3.11", "one"), add(&place, "3.12", "two")];
    (place, wheels)
}

fn with_filters(test: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[MOMENT]");
    settings.add_filter(r"just now|\d+ seconds? ago", "[AGO]");
    settings.bind(test);
}

#[test]
fn wheels_of_the_store_are_read_by_their_names() {
    let (place, _) = two_wheels();
    assert_snapshot!(place.run("verify torchsort-0.1.10-cu130-torch2.11-cp311-sm90"), @r"
    exit: 2
    ----- stderr
    error: `[HERE]/store/wheels/sha256/76/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl` is not a wheel: it is not a zip archive
    ");
    let said = place.run("inspect torchsort");
    assert!(said.contains("`torchsort` may be any of:"), "{said}");
}

#[test]
fn wheels_are_listed_shown_and_found() {
    let (place, [_, second]) = two_wheels();
    with_filters(|| {
        assert_snapshot!(place.run("wheels"), @r"
        exit: 0
        ----- stdout
        PACKAGE    VERSION                CUDA  TORCH  PYTHON  GPUS  SIZE  BUILT     DIGEST
        torchsort  0.1.10+cu130torch2.11  13.0  2.11   3.12    9.0    3 B  [AGO]  3fc4ccfe7458
        torchsort  0.1.10+cu130torch2.11  13.0  2.11   3.11    9.0    3 B  [AGO]  7692c3ad3540
        ");
        assert_snapshot!(place.run("wheels show torchsort-0.1.10-cu130-torch2.11-cp311-sm90 --check"), @r"
        exit: 0
        ----- stdout
        torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl
          path          [HERE]/store/wheels/sha256/76/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl
          sha256        7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
          size          3 B
          cell          torchsort-0.1.10-cu130-torch2.11-cp311-sm90
          cuda          13.0
          torch         2.11
          python        3.11
          architectures 9.0
          built         [MOMENT]
          run           20261122-104637-003f
          verdict       good
          runs on       sm_90 natively; no PTX for newer GPUs
          not checked   run on a GPU (there is none)
        ----- stderr
        the file is what its digest says
        ");
        assert_snapshot!(place.run("wheels ls nothing"), @r"
        exit: 2
        ----- stderr
        error: no wheel in the store is called `nothing`
          hint: see what there is: `wheelmill wheels ls`
        ");
        assert_snapshot!(place.run("wheels show torch"), @r"
        exit: 2
        ----- stderr
        error: no wheel in the store is called `torch`
          hint: name one of these in full:
            3fc4ccfe7458  torchsort-0.1.10-cu130-torch2.11-cp312-sm90
            7692c3ad3540  torchsort-0.1.10-cu130-torch2.11-cp311-sm90
        ");
        assert_snapshot!(place.run("wheels where torchsort==0.1.10"), @r"
        exit: 2
        ----- stderr
        error: `torchsort==0.1.10` may be any of:
            3fc4ccfe7458  torchsort-0.1.10-cu130-torch2.11-cp312-sm90
            7692c3ad3540  torchsort-0.1.10-cu130-torch2.11-cp311-sm90
          hint: name it by its cell, its file name or the beginning of its digest
        ");
    });
    let place_of = |arguments: &str| {
        let output = place.command(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    assert_eq!(place_of(&format!("wheels where {}", second.digest.short())), second.path);
    assert_eq!(place_of("wheels where"), place.path().join("store/wheels"));
}

#[test]
fn lists_and_pages_fit_the_width_and_lose_no_digest() {
    let (place, wheels) = two_wheels();
    for width in [40, 60, 80, 120] {
        for arguments in ["wheels", "wheels show 7692"] {
            let columns = width.to_string();
            let output = place.command(arguments).env("COLUMNS", columns).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            assert!(shown.contains(&wheels[0].digest.short()), "{shown}");
            for line in shown.lines().filter(|line| line.chars().count() > width) {
                // Only what cannot be broken: digests, paths, names.
                assert!(line.split_whitespace().count() <= 2, "{width}: {line}");
            }
        }
    }
    let output = place.command("wheels").env("COLUMNS", "80").output().unwrap();
    with_filters(|| {
        assert_snapshot!(place.show(&output), @r"
        exit: 0
        ----- stdout
        PACKAGE    VERSION                CUDA  TORCH  PYTHON  GPUS  SIZE  DIGEST
        torchsort  0.1.10+cu130torch2.11  13.0  2.11   3.12    9.0    3 B  3fc4ccfe7458
        torchsort  0.1.10+cu130torch2.11  13.0  2.11   3.11    9.0    3 B  7692c3ad3540
        ");
    });
}

#[test]
fn an_exported_wheel_is_the_stored_one_and_replaces_nothing_unasked() {
    let (place, wheels) = two_wheels();
    with_filters(|| {
        assert_snapshot!(place.run("wheels export torchsort --to out"), @r"
        exit: 0
        ----- stdout
        out/torchsort-0.1.10+cu130torch2.11-cp312-cp312-linux_x86_64.whl
        out/torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl
        ");
    });
    for wheel in &wheels {
        let exported = place.path().join("project/out").join(wheel.file_name.as_str());
        assert_eq!(Digest::of(&fs_err::read(exported).unwrap()), wheel.digest);
    }
    let again = place.run("wheels export torchsort --to out");
    assert!(again.starts_with("exit: 2") && again.contains("`--force`"), "{again}");
    assert!(place.run("wheels export torchsort --to out --force").starts_with("exit: 0"));
}

#[test]
fn wheels_are_removed_by_a_name_of_their_own_and_only_when_meant() {
    let (place, [first, second]) = two_wheels();
    with_filters(|| {
        assert_snapshot!(place.run("wheels rm torchsort --yes"), @r"
        exit: 2
        ----- stderr
        error: `torchsort` may be any of:
            3fc4ccfe7458  torchsort-0.1.10-cu130-torch2.11-cp312-sm90
            7692c3ad3540  torchsort-0.1.10-cu130-torch2.11-cp311-sm90
          hint: name it by its cell, its file name or the beginning of its digest
        ");
        assert_snapshot!(place.run(&format!("wheels rm {}", first.digest.short())), @r"
        exit: 2
        ----- stderr
        error: nobody is there to be asked whether to remove wheels
          hint: say it beforehand: `--yes`
        ");
    });
    // A wrong name among good ones: nothing goes.
    assert!(place.run(&format!("wheels rm --yes {} nothing", first.digest)).starts_with("exit: 2"));
    assert!(first.path.exists());

    let removed = place.run(&format!("wheels rm --yes {}", first.digest.short()));
    assert!(removed.starts_with("exit: 0"), "{removed}");
    assert!(!first.path.exists() && second.path.exists());
}

#[test]
fn a_wheel_whose_file_is_gone_or_changed_is_told() {
    let (place, [first, second]) = two_wheels();
    remove_file(&first.path);
    with_filters(|| {
        assert_snapshot!(place.run("wheels ls"), @r"
        exit: 0
        ----- stdout
        PACKAGE    VERSION                CUDA  TORCH  PYTHON  GPUS  SIZE  BUILT     DIGEST
        torchsort  0.1.10+cu130torch2.11  13.0  2.11   3.12    9.0    3 B  [AGO]  3fc4ccfe7458
        torchsort  0.1.10+cu130torch2.11  13.0  2.11   3.11    9.0    3 B  [AGO]  7692c3ad3540  missing
        ----- stderr
        warning: the file of torchsort-0.1.10-cu130-torch2.11-cp311-sm90 is gone or has changed: [HERE]/store/wheels/sha256/76/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl
          hint: build it again, or forget it: `wheelmill wheels rm 7692c3ad3540`
        ");
        assert_snapshot!(place.run(&format!("wheels where {}", first.digest.short())), @r"
        exit: 1
        ----- stderr
        error: the file of torchsort-0.1.10-cu130-torch2.11-cp311-sm90 is gone or has changed: [HERE]/store/wheels/sha256/76/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/torchsort-0.1.10+cu130torch2.11-cp311-cp311-linux_x86_64.whl
          hint: forget it: `wheelmill wheels rm 7692c3ad3540`
        ");
    });
    make_writable(&second.path);
    fs_err::write(&second.path, "owt").unwrap();
    let shown = place.run(&format!("wheels show --check {}", second.digest.short()));
    assert!(shown.starts_with("exit: 1") && shown.contains("is damaged"), "{shown}");
}

fn remove_file(path: &Utf8Path) {
    make_writable(path);
    fs_err::remove_file(path).unwrap();
}

fn make_writable(path: &Utf8Path) {
    use std::os::unix::fs::PermissionsExt as _;

    for (path, mode) in [(path.parent().unwrap(), 0o755), (path, 0o644)] {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn wheels_of_one_file_name_are_not_exported_over_each_other() {
    let place = Place::new();
    let first = add(&place, "3.11", "one");
    let file = place.write(first.file_name.as_str(), "other");
    let wheel = NewWheel {
        key: CellKey(Digest::of(b"cu132")),
        cell: "torchsort-0.1.10-cu132-torch2.12-cp311-sm90".to_owned(),
        spec: first.spec.clone(),
        verdict: first.verdict.clone(),
        passed: true,
        run: first.run.clone(),
    };
    place.store().add_wheel(&file, &wheel).unwrap();
    for force in ["", "--force"] {
        let refused = place.run(&format!("wheels export torchsort --to out {force}"));
        assert!(refused.starts_with("exit: 2"), "{refused}");
        assert!(refused.contains(&first.cell) && refused.contains(&wheel.cell), "{refused}");
        assert!(!place.path().join("project/out").exists(), "nothing was copied");
    }
}
