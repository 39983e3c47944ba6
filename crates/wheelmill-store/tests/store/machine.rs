//! Disks that are full and folders that are somebody else's.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::slice::from_ref;

use camino::Utf8Path;
use fs_err as fs;
use nix::mount::{MsFlags, mount};
use wheelmill_model::Digest;
use wheelmill_store::{RunOutcome, Store, StoreError};

use crate::fixture::{Folder, WHEEL, files_below, good, key, new_run, skip};
use crate::helper::{Helper, describe};

/// The size of the small disk: room for an empty store and a small wheel.
const DISK: &str = "size=2m";

#[test]
fn a_full_disk_loses_nothing_and_space_can_be_made() {
    let folder = Folder::new();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    // A mount that only the helper sees; a plain user may make one as the root of a user namespace.
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if !nix::unistd::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let mut helper = Helper::start_through(unshare, &["fill a disk", disk.as_str()]);
    let said = helper.rest();
    match said.last().map(String::as_str) {
        Some("held") => {}
        _ if said.iter().any(|line| line.contains("Operation not permitted")) => {
            skip("a disk cannot be mounted in a namespace of one's own");
        }
        _ => panic!("{said:#?}"),
    }
}

/// Runs as another process, in a mount namespace of its own.
pub(crate) fn fill_a_disk(disk: &Utf8Path) {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("none"), disk.as_str(), Some("tmpfs"), MsFlags::empty(), Some(DISK)).unwrap();
    let elsewhere = Folder::new();
    let home = disk.join("home");
    let store = Store::open(&home).unwrap();
    let small = store.add_wheel(&elsewhere.wheel(&[1; 600_000]), &good(key("a"))).unwrap().wheel;

    // A wheel that does not fit.
    let error = store.add_wheel(&elsewhere.wheel(&[2; 3_000_000]), &good(key("b"))).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(files_below(&home.join("tmp")).is_empty());
    assert_eq!(store.wheels().unwrap(), from_ref(&small));

    // Not a byte left: neither for the history, nor to open the store anew.
    let rest = fill(&disk.join("rest"));
    assert!(rest > 0);
    let error = loop {
        // What is written goes to blocks that the log has already, until these are used up.
        match store.begin_run(&new_run()).and_then(|run| store.finish_run(&run, RunOutcome::Done)) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert_eq!(store.wheels().unwrap(), from_ref(&small));
    store.check_wheel(&small.digest).unwrap();
    // Nobody has it open now, so that there is no file for the memory which processes share, and
    // no space for one.
    fs::remove_file(disk.join("rest")).unwrap();
    drop(store);
    fill(&disk.join("rest"));
    assert!(!home.join("store.sqlite3-shm").exists());
    let store = Store::open(&home).unwrap();
    assert_eq!(store.wheel_for(&key("a")).unwrap().as_ref(), Some(&small));

    // Removing a wheel works, and makes room for what did not fit.
    store.remove_wheel(&small.digest).unwrap();
    let run = store.begin_run(&new_run()).unwrap();
    store.finish_run(&run, RunOutcome::Done).unwrap();
    let wheel = store.add_wheel(&elsewhere.wheel(b"small"), &good(key("c"))).unwrap().wheel;
    assert_eq!(wheel.digest, Digest::of(b"small"));
    eprintln!("held");
}

/// Writes until nothing more fits; returns how much did.
fn fill(path: &Utf8Path) -> usize {
    use io::Write as _;

    let mut file = fs::File::create(path).unwrap();
    let mut written = 0;
    for size in [4096, 1] {
        loop {
            match file.write(&[0; 4096][..size]) {
                Ok(count) => written += count,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                    break;
                }
            }
        }
    }
    written
}

#[test]
fn a_store_that_may_not_be_written_says_which_file_refused() {
    if !nix::unistd::geteuid().is_root() {
        return refused_to_a_plain_user();
    }
    let folder = Folder::new();
    drop(folder.store());
    // Root may write anything, so another user has to try.
    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode;
    fs::set_permissions(folder.path(), open_to_all(0o755)).unwrap();
    let mut nobody = Command::new(std::env::current_exe().unwrap());
    nobody.uid(65534).gid(65534);
    let mut helper = Helper::spawn(nobody, &["open", folder.home().as_str()]);
    assert_eq!(helper.line(), "ready");
    helper.go();
    let said = helper.line();
    assert!(said.starts_with("ReadOnly { path: "), "{said}");
    assert!(said.contains("home/store.sqlite3"), "{said}");
}

fn refused_to_a_plain_user() {
    let folder = Folder::new();
    drop(folder.store());
    let closed = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(folder.home().join("store.sqlite3"), closed(0o444)).unwrap();
    let said = describe(Store::open(&folder.home()).map(drop));
    assert!(said.starts_with("ReadOnly { path: "), "{said}");
    assert!(said.contains("home/store.sqlite3"), "{said}");
    assert!(!folder.path().join(WHEEL).exists());
}
