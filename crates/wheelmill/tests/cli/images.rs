//! `wheelmill images`.

use insta::assert_snapshot;

use crate::fixture::Place;

#[test]
fn a_base_that_cannot_be_made_says_why() {
    let place = Place::new();
    assert_snapshot!(place.run("images bootstrap debian:bookworm"), @r"
    exit: 2
    ----- stderr
    error: a base is made of packages that are fetched, and fetching is off
      hint: run it without WHEELMILL_OFFLINE
    ");
    let there = place.write("base.tar", "precious");
    let output = place
        .command("images bootstrap debian:bookworm --output base.tar")
        .env_remove("WHEELMILL_OFFLINE")
        .output()
        .unwrap();
    assert_snapshot!(place.show(&output), @r"
    exit: 2
    ----- stderr
    making debian:bookworm with g++ and Python; this takes some minutes
    error: `[HERE]/project/base.tar` exists already
      hint: choose another file with `--output`, or remove it
    ");
    assert_eq!(fs_err::read_to_string(there).unwrap(), "precious");
}

#[test]
fn a_dockerfile_is_of_one_cell_that_was_built() {
    let place = Place::new();
    let several = place.run("images dockerfile torchsort==0.1.10 --cuda 13.0 --torch 2.10,2.11");
    assert!(several.contains("one cell must be named"), "{several}");
    let new = place.run("images dockerfile torchsort==0.1.10 --cuda 13.0 --torch 2.11");
    assert!(new.contains("build it once") && new.starts_with("exit: 3"), "{new}");
}
