//! What is opened as a store, what is refused, and that a refusal changes nothing.

use fs_err as fs;
use wheelmill_store::{AttemptEnd, Outcome, RunOutcome, Store, StoreError};

use crate::fixture::{CELL, Folder, files_below, good, key, new_cell, new_run};

/// Refuses to open, and leaves the database as it was, byte for byte.
fn refusal(folder: &Folder) -> StoreError {
    let database = folder.home().join("store.sqlite3");
    let before = fs::read(&database).unwrap();
    let error = Store::open(&folder.home()).unwrap_err();
    assert_eq!(fs::read(&database).unwrap(), before);
    error
}

#[test]
fn looking_at_a_store_that_is_not_there_creates_nothing() {
    let folder = Folder::new();
    assert!(Store::open_existing(&folder.home()).unwrap().is_none());
    assert!(!folder.home().exists());
    drop(folder.store());
    assert!(Store::open_existing(&folder.home()).unwrap().is_some());
}

#[test]
fn a_file_is_no_store() {
    let folder = Folder::new();
    let file = folder.file("notes.txt", b"mine");
    for home in [file.clone(), file.join("below")] {
        assert!(matches!(
            Store::open(&home),
            Err(StoreError::NotAFolder { path }) if path == home
        ));
        assert!(matches!(Store::open_existing(&home), Err(StoreError::NotAFolder { .. })));
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_newer_store_is_left_alone() {
    let folder = Folder::new();
    drop(folder.store());
    let connection = rusqlite::Connection::open(folder.home().join("store.sqlite3")).unwrap();
    connection.pragma_update(None, "user_version", 1000).unwrap();
    drop(connection);
    let error = refusal(&folder);
    assert!(matches!(error, StoreError::Newer { found: 1000, .. }));
    assert!(error.to_string().contains("newer wheelmill"), "{error}");
}

#[test]
fn a_store_of_the_first_format_is_read() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin_run(&new_run()).unwrap();
    let attempt = store.begin_attempt(&run, &new_cell(CELL)).unwrap();
    store.finish_attempt(attempt.id, &AttemptEnd::new(Outcome::Stored)).unwrap();
    store.finish_run(&run, RunOutcome::Done).unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(folder.home().join("store.sqlite3")).unwrap();
    let back = "ALTER TABLE runs DROP COLUMN cancelled_by; DROP TABLE compiles;
                UPDATE attempts SET outcome = 'cached'; PRAGMA user_version = 1;";
    connection.execute_batch(back).unwrap();
    drop(connection);

    let told = folder.store().run("last").unwrap();
    assert_eq!((told.summary.cells.stored, told.summary.cancelled_by), (1, None));
    assert_eq!(told.attempts[0].outcome, Some(Outcome::Stored));
    folder.store().add_compiles(told.attempts[0].id, &[serde_json::json!("a.cu")]).unwrap();
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.home()).unwrap();
    let connection = rusqlite::Connection::open(folder.home().join("store.sqlite3")).unwrap();
    connection.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(connection);
    assert!(matches!(refusal(&folder), StoreError::NotAStore { .. }));
}

#[test]
fn a_damaged_database_is_named_and_kept() {
    let folder = Folder::new();
    let store = folder.store();
    let wheel = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap().wheel;
    drop(store);
    let database = folder.home().join("store.sqlite3");
    let whole = fs::read(&database).unwrap();

    fs::write(&database, b"this was a database once").unwrap();
    let error = refusal(&folder);
    assert!(matches!(&error, StoreError::Damaged { path, .. } if *path == database));

    // The header is whole, the pages behind it are not.
    let mut broken = whole;
    broken[4096..].fill(0x5a);
    fs::write(&database, &broken).unwrap();
    let error = Store::open(&folder.home()).and_then(|store| store.wheels()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert_eq!(fs::read(&database).unwrap(), broken);
    assert_eq!(fs::read(&wheel.path).unwrap(), b"content");
}

#[test]
fn leftovers_of_the_dead_are_removed_and_those_of_the_living_kept() {
    let folder = Folder::new();
    let store = folder.store();
    let temporary = store.home().join("tmp");
    fs::write(temporary.join("dead"), b"half a wh").unwrap();
    let living = fs::File::create(temporary.join("living")).unwrap();
    living.lock().unwrap();

    drop(Store::open(store.home()).unwrap());
    let left: Vec<_> = files_below(&temporary).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [temporary.join("living")]);
    drop(living);
    drop(Store::open(store.home()).unwrap());
    assert!(files_below(&temporary).is_empty());
}

#[test]
fn a_relative_home_gives_absolute_paths() {
    let folder = Folder::new();
    let from_root = "../".repeat(64) + folder.home().as_str().trim_start_matches('/');
    let store = Store::open(from_root.as_str().into()).unwrap();
    assert!(store.home().is_absolute());
    let wheel = store.add_wheel(&folder.wheel(b"content"), &good(key("a"))).unwrap().wheel;
    assert!(wheel.path.is_absolute() && wheel.path.exists());
}
