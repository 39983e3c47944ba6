//! Keeping wheels and finding them again.

use std::os::unix::fs::PermissionsExt;
use std::slice::from_ref;

use camino::Utf8Path;
use fs_err as fs;
use wheelmill_model::Digest;
use wheelmill_store::{Adding, Store, StoreError};

use crate::fixture::{CELL, Folder, WHEEL, bad, files_below, good, key};

/// Changes a stored file, as a failing disk would.
fn damage(path: &Utf8Path, content: &[u8]) {
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_wheel_lies_under_its_own_name_for_pip() {
    let folder = Folder::new();
    let store = folder.store();
    let added = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap();

    assert_eq!(added.adding, Adding::New);
    let wheel = added.wheel;
    let digest = Digest::of(b"content").to_string();
    assert_eq!(
        wheel.path,
        store.home().join("wheels/sha256").join(&digest[..2]).join(&digest).join(WHEEL)
    );
    assert_eq!(fs::read(&wheel.path).unwrap(), b"content");
    assert_eq!(fs::metadata(&wheel.path).unwrap().permissions().mode() & 0o777, 0o444);
    assert_eq!(wheel.size, 7);
    assert_eq!(wheel.package.as_str(), "torchsort");
    assert!(files_below(&store.home().join("tmp")).is_empty());
    store.check_wheel(&wheel.digest).unwrap();

    let again = Store::open_existing(store.home()).unwrap().unwrap();
    assert_eq!(again.wheel_for(&key("a")).unwrap(), Some(wheel));
    assert_eq!(again.wheel_for(&key("b")).unwrap(), None);
}

#[test]
fn a_wheel_is_found_by_everything_people_call_it() {
    let folder = Folder::new();
    let store = folder.store();
    let wheel = store.add_wheel(&folder.wheel(b"one"), &good(key("a"))).unwrap().wheel;
    let other = folder.file("pycuda-2026.1-cp311-cp311-linux_x86_64.whl", b"two");
    store.add_wheel(&other, &good(key("b"))).unwrap();

    let digest = wheel.digest.to_string();
    for text in [
        "torchsort",
        "TorchSort",
        "torchsort==0.1.10",
        "torchsort == 0.1.10+cu130torch2.11",
        WHEEL,
        &digest,
        &digest[..8].to_uppercase(),
    ] {
        assert_eq!(store.find_wheels(text).unwrap(), from_ref(&wheel), "{text}");
    }
    for text in ["torch", "torchsort==0.1.9", "torchsort==0.1.10+cpu", "", "*", &digest[..3]] {
        assert_eq!(store.find_wheels(text).unwrap(), [], "{text}");
    }
    assert_eq!(store.find_wheels(CELL).unwrap().len(), 2);
    assert_eq!(store.wheels().unwrap().len(), 2);
}

#[test]
fn the_first_good_wheel_of_a_key_stays() {
    let folder = Folder::new();
    let store = folder.store();
    let first = store.add_wheel(&folder.wheel(b"first"), &good(key("a"))).unwrap().wheel;

    let same = store.add_wheel(&folder.wheel(b"first"), &good(key("a"))).unwrap();
    assert_eq!((same.adding, &same.wheel), (Adding::Same, &first));
    let second = store.add_wheel(&folder.wheel(b"second"), &good(key("a"))).unwrap();
    assert_eq!((second.adding, &second.wheel), (Adding::FirstKept, &first));
    let worse = store.add_wheel(&folder.wheel(b"worse"), &bad(key("a"))).unwrap();
    assert_eq!((worse.adding, &worse.wheel), (Adding::FirstKept, &first));
    assert_eq!(files_below(&store.home().join("wheels")).len(), 1);
}

#[test]
fn a_wheel_that_was_judged_bad_answers_for_no_key_and_makes_way() {
    let folder = Folder::new();
    let store = folder.store();
    let bad = store.add_wheel(&folder.wheel(b"bad"), &bad(key("a"))).unwrap().wheel;
    assert_eq!(store.wheel_for(&key("a")).unwrap(), None);
    assert_eq!(store.wheels().unwrap(), [bad]);

    let added = store.add_wheel(&folder.wheel(b"good"), &good(key("a"))).unwrap();
    assert_eq!(added.adding, Adding::Replaced);
    assert_eq!(store.wheel_for(&key("a")).unwrap().as_ref(), Some(&added.wheel));
    let files = files_below(&store.home().join("wheels"));
    assert_eq!(files, [(added.wheel.path, b"good".to_vec())]);
}

#[test]
fn one_content_may_come_from_two_cells_and_goes_for_both() {
    let folder = Folder::new();
    let store = folder.store();
    let file = folder.wheel(b"pure python");
    let first = store.add_wheel(&file, &good(key("cu129"))).unwrap();
    let second = store.add_wheel(&file, &good(key("cu130"))).unwrap();
    assert_eq!((first.adding, second.adding), (Adding::New, Adding::New));
    assert_eq!(first.wheel.path, second.wheel.path);

    store.remove_wheel(&first.wheel.digest).unwrap();
    assert_eq!(store.wheels().unwrap(), []);
    assert!(files_below(&store.home().join("wheels")).is_empty());
    assert!(matches!(store.remove_wheel(&first.wheel.digest), Err(StoreError::NoSuchWheel { .. })));
}

#[test]
fn a_wheel_whose_file_is_gone_is_shown_and_can_be_brought_back() {
    let folder = Folder::new();
    let store = folder.store();
    let wheel = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap().wheel;
    fs::remove_file(&wheel.path).unwrap();

    assert_eq!(store.wheel_for(&key("a")).unwrap(), None);
    let shown = store.wheels().unwrap();
    assert!(matches!(&shown[..], [shown] if !shown.present && shown.digest == wheel.digest));
    assert!(matches!(store.check_wheel(&wheel.digest), Err(StoreError::WheelGone { .. })));
    assert!(matches!(
        store.export_wheel(&wheel.digest, &folder.path().join("out"), false),
        Err(StoreError::WheelGone { .. })
    ));

    let added = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap();
    assert_eq!(added.adding, Adding::Replaced);
    assert!(added.wheel.present);
    store.check_wheel(&wheel.digest).unwrap();
}

#[test]
fn a_damaged_wheel_is_found_and_never_handed_out() {
    let folder = Folder::new();
    let store = folder.store();
    let wheel = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap().wheel;
    damage(&wheel.path, b"cOntent");

    let found = Digest::of(b"cOntent");
    assert!(matches!(
        store.check_wheel(&wheel.digest),
        Err(StoreError::WheelDamaged { found: other, .. }) if other == found
    ));
    let out = folder.path().join("out");
    assert!(matches!(
        store.export_wheel(&wheel.digest, &out, false),
        Err(StoreError::WheelDamaged { .. })
    ));
    assert!(files_below(&out).is_empty());

    // Cut short, it is as good as gone, which every look-up sees.
    damage(&wheel.path, b"cont");
    assert_eq!(store.wheel_for(&key("a")).unwrap(), None);
}

#[test]
fn an_export_is_a_copy_of_ones_own_and_replaces_only_when_told() {
    let folder = Folder::new();
    let store = folder.store();
    let wheel = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap().wheel;
    let out = folder.path().join("new/folder");

    let copy = store.export_wheel(&wheel.digest, &out, false).unwrap();
    assert_eq!(copy, out.join(WHEEL));
    fs::write(&copy, b"mine").unwrap();
    store.check_wheel(&wheel.digest).unwrap();
    assert!(matches!(
        store.export_wheel(&wheel.digest, &out, false),
        Err(StoreError::Exists { path }) if path == copy
    ));
    assert_eq!(fs::read(&copy).unwrap(), b"mine");
    store.export_wheel(&wheel.digest, &out, true).unwrap();
    assert_eq!(files_below(&out), [(copy, b"content".to_vec())]);
}

#[test]
fn what_cannot_be_stored_leaves_nothing_behind() {
    let folder = Folder::new();
    let store = folder.store();
    let file = folder.file("torchsort.tar.gz", b"content");
    let refused = store.add_wheel(&file, &good(key("a"))).unwrap_err();
    assert!(matches!(&refused, StoreError::NotAWheel { path, .. } if *path == file));
    let gone = store.add_wheel(&folder.path().join(WHEEL), &good(key("a"))).unwrap_err();
    assert!(matches!(gone, StoreError::File { action: "read", .. }));
    assert!(files_below(&store.home().join("tmp")).is_empty());
    assert_eq!(store.wheels().unwrap(), []);
}

#[test]
fn a_lock_is_kept_until_it_is_replaced_or_removed() {
    let folder = Folder::new();
    let store = folder.store();
    let [request, other] = ["torchsort", "pycuda"].map(|text| Digest::of(text.as_bytes()));
    store.put_lock(&request, "one").unwrap();
    store.put_lock(&request, "two").unwrap();
    let kept = Store::open(store.home()).unwrap().lock(&request).unwrap().unwrap();
    assert_eq!((kept.request, kept.text.as_str()), (request, "two"));
    assert_eq!(store.lock(&other).unwrap(), None);
    assert!(store.remove_lock(&request).unwrap());
    assert!(!store.remove_lock(&request).unwrap());
    assert_eq!(store.lock(&request).unwrap(), None);
}
