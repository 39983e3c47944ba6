//! Several processes at one store.

use std::sync::Arc;
use std::thread;

use wheelmill_model::Digest;

use crate::fixture::{CELL, Folder, files_below, key, new_cell, new_run};
use crate::helper::Helper;

#[test]
fn many_processes_may_create_one_store_at_once() {
    let folder = Folder::new();
    let mut helpers: Vec<_> =
        (0..6).map(|_| Helper::start(&["open", folder.home().as_str()])).collect();
    for helper in &mut helpers {
        assert_eq!(helper.line(), "ready");
    }
    helpers.iter_mut().for_each(Helper::go);
    for helper in &mut helpers {
        assert_eq!(helper.line(), "fine");
    }
}

#[test]
fn of_two_processes_that_build_one_key_the_first_wins() {
    let folder = Folder::new();
    let contents = [vec![1; 3 << 20], vec![2; 3 << 20]];
    let mut helpers = contents.each_ref().map(|content| {
        let file = folder.wheel(content);
        Helper::start(&["add", folder.home().as_str(), file.as_str()])
    });
    for helper in &mut helpers {
        assert_eq!(helper.line(), "ready");
    }
    helpers.iter_mut().for_each(Helper::go);
    let mut said = helpers.each_mut().map(Helper::line);
    said.sort();

    let store = folder.store();
    let kept = store.wheel_for(&key("shared")).unwrap().unwrap();
    assert_eq!(said, [format!("FirstKept {}", kept.digest), format!("New {}", kept.digest)]);
    assert!(contents.iter().any(|content| Digest::of(content) == kept.digest));
    store.check_wheel(&kept.digest).unwrap();
    assert_eq!(files_below(&store.home().join("wheels")).len(), 1);
}

#[test]
fn threads_share_one_store() {
    let folder = Folder::new();
    let store = Arc::new(folder.store());
    let run = store.begin_run(&new_run()).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (store, run) = (Arc::clone(&store), run.clone());
            thread::spawn(move || store.begin_attempt(&run, &new_cell(CELL)).unwrap().number)
        })
        .collect();
    let mut numbers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}
