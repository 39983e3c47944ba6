//! `wheelmill clean`, on a cache with layers, downloads and the work of a failed cell.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use insta::{Settings, assert_snapshot};
use serde_json::Value;
use wheelmill_model::Digest;

use crate::fixture::Place;

/// A file of a size in the cache or the store, last changed so many days ago.
fn file(place: &Place, name: &str, size: usize, days: u64) {
    let path = place.path().join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, vec![1; size]).unwrap();
    set_age(&path, days);
}

/// A finished layer of so many bytes, with its lock.
fn layer(place: &Place, title: &str, size: usize, days: u64) -> String {
    let key = Digest::of(title.as_bytes());
    let name = format!("cache/layers/steps/root/{key}");
    file(place, &format!("{name}/root/file"), size, 0);
    file(place, &format!("{name}.lock"), 0, days);
    let lock = place.path().join(format!("{name}.lock"));
    fs_err::write(&lock, title).unwrap();
    set_age(&lock, days);
    name
}

fn set_age(path: &Utf8Path, days: u64) {
    let file = fs_err::File::open(path).unwrap();
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    file.file().set_modified(then).unwrap();
}

fn furnished() -> Place {
    let place = Place::new();
    layer(&place, "CUDA 12.8 and torch 2.9", 3 << 20, 60);
    layer(&place, "CUDA 13.0 and torch 2.11", 5 << 20, 2);
    file(&place, "cache/sources/0123456789abcdef", 2 << 20, 2);
    file(&place, "cache/uv/cache/archive-v0/one/file", 4 << 20, 2);
    file(&place, "cache/uv/cache/.lock", 0, 2);
    file(&place, "store/wheels/sha256/ab/a.whl", 1 << 20, 90);
    for folder in [
        "cache/uv/cache",
        "cache/uv/cache/archive-v0",
        "cache/uv/cache/archive-v0/one",
        "store/wheels",
        "store/wheels/sha256",
        "store/wheels/sha256/ab",
    ] {
        set_age(&place.path().join(folder), 3);
    }
    place
}

fn document(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn a_preview_shows_sums_and_what_a_budget_would_remove() {
    let place = furnished();
    let mut settings = Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d", "[LONG-AGO]");
    settings.bind(|| {
        assert_snapshot!(place.run("clean"), @r"
        exit: 0
        ----- stdout
        KIND           SIZE  LAST USED   WHAT
        layers      8.0 MiB  2 days ago  CUDA 13.0 and torch 2.11 and 1 more
        uv's cache  4.0 MiB  2 days ago  packages that uv has fetched
        downloads   2.0 MiB  2 days ago  source 0123456789ab
        wheels      1.0 MiB  3 days ago  all in the store; removed by name only

        14.0 MiB in all, without wheels and history
        free some: `wheelmill clean --budget 20GB`, or `--all`
        ");
        assert_snapshot!(place.run("clean --budget 10MiB --dry-run"), @r"
        exit: 0
        ----- stdout
        KIND           SIZE  LAST USED   WHAT
        layers      8.0 MiB  2 days ago  CUDA 13.0 and torch 2.11 and 1 more
        uv's cache  4.0 MiB  2 days ago  packages that uv has fetched
        downloads   2.0 MiB  2 days ago  source 0123456789ab
        wheels      1.0 MiB  3 days ago  all in the store; removed by name only

        14.0 MiB in all, without wheels and history
        for a budget of 10.0 MiB, 2 things would go, which frees 5.0 MiB

        KIND          SIZE  LAST USED   WHAT
        layers     3.0 MiB  [LONG-AGO]  CUDA 12.8 and torch 2.9
        downloads  2.0 MiB  2 days ago  source 0123456789ab
        ");
        assert_snapshot!(place.run("clean --budget 10MiB"), @r"
        exit: 2
        ----- stdout
        KIND           SIZE  LAST USED   WHAT
        layers      8.0 MiB  2 days ago  CUDA 13.0 and torch 2.11 and 1 more
        uv's cache  4.0 MiB  2 days ago  packages that uv has fetched
        downloads   2.0 MiB  2 days ago  source 0123456789ab
        wheels      1.0 MiB  3 days ago  all in the store; removed by name only

        14.0 MiB in all, without wheels and history
        for a budget of 10.0 MiB, 2 things would go, which frees 5.0 MiB

        KIND          SIZE  LAST USED   WHAT
        layers     3.0 MiB  [LONG-AGO]  CUDA 12.8 and torch 2.9
        downloads  2.0 MiB  2 days ago  source 0123456789ab
        ----- stderr
        error: nobody is there to be asked whether to remove them
          hint: say it beforehand: `--yes`
        ");
        assert_snapshot!(place.run("clean --yes"), @r"
        exit: 2
        ----- stderr
        error: nothing says what may stay
          hint: name a budget, as in `wheelmill clean --budget 20GB`, or `--all`
        ");
    });
    let paths = document(&mut place.command("clean --all --dry-run --json"));
    assert_eq!(paths["goes"].as_array().unwrap().len(), 4);
    assert_eq!(paths["removed"].as_array().unwrap().len(), 0);
}

#[test]
fn the_budget_of_the_project_is_kept_and_wheels_stay() {
    let place = furnished();
    place.write("wheelmill.toml", "[clean]\nbudget = \"10MiB\"\n");
    let done = document(&mut place.command("clean --yes --json"));
    assert_eq!(done["removed"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["budget-bytes"], 10 << 20);
    let left = document(&mut place.command("clean --json"));
    assert!(left["size-bytes"].as_u64().unwrap() <= 10 << 20, "{left}");
    document(&mut place.command("clean --all --yes --json"));
    let left = document(&mut place.command("clean --json"));
    let kinds: Vec<&str> =
        left["items"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["wheels"]);
    assert!(place.path().join("store/wheels/sha256/ab/a.whl").exists());
}

#[test]
fn what_somebody_uses_stays_and_is_told() {
    let place = furnished();
    let name = layer(&place, "in use", 1 << 20, 90);
    let lock = fs_err::File::open(place.path().join(format!("{name}.lock"))).unwrap();
    lock.file().lock_shared().unwrap();
    let build = place.path().join("cache/builds.lock");
    let build = fs_err::File::create(build).unwrap();
    build.file().lock_shared().unwrap();
    let done = document(&mut place.command("clean --all --yes --json"));
    let items = done["items"].as_array().unwrap();
    let used: Vec<&str> = items
        .iter()
        .filter(|item| item["state"] == "in-use")
        .map(|item| item["kind"].as_str().unwrap())
        .collect();
    assert_eq!(used, ["layer", "uv-cache", "download"], "{done}");
    assert!(place.path().join(name).join("root/file").exists());
    assert!(place.path().join("cache/sources/0123456789abcdef").exists());
}

#[test]
fn a_killed_removal_leaves_nothing_that_looks_whole() {
    let place = Place::new();
    let names: Vec<String> =
        (0..40).map(|number| layer(&place, &format!("layer {number}"), 100, number)).collect();
    for name in &names {
        // Many files, so that removals are long enough to be met.
        for number in 0..200 {
            file(&place, &format!("{name}/root/{number}"), 0, 0);
        }
    }
    let mut child = place
        .command("clean --all --yes")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for name in &names {
        let folder = place.path().join(name).join("root");
        if folder.parent().unwrap().exists() {
            assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 201, "{name}");
        }
    }
    let left = document(&mut place.command("clean --all --yes --json"));
    assert_eq!(left["removed"], left["goes"]);
    assert_eq!(document(&mut place.command("clean --json"))["items"], serde_json::json!([]));
}

#[test]
fn layers_are_listed_by_what_they_are() {
    let place = furnished();
    let mut settings = Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d", "[LONG-AGO]");
    settings.bind(|| {
        assert_snapshot!(place.run("images ls"), @r"
        exit: 0
        ----- stdout
        KIND   ENGINE       SIZE  LAST USED   ID            WHAT
        layer  embedded  5.0 MiB  2 days ago  229a640afc1a  CUDA 13.0 and torch 2.11
        layer  embedded  3.0 MiB  [LONG-AGO]  2eb76c811e7f  CUDA 12.8 and torch 2.9
        ----- stderr
        8.0 MiB in all
        ");
    });
    let listed = document(&mut place.command("images ls --json"));
    assert_eq!(listed["images"][0]["engine"], "embedded", "{listed}");
}

#[test]
fn a_daemon_that_does_not_answer_is_not_taken_for_empty() {
    let place = furnished();
    let output = place
        .command("clean --engine docker --json")
        .env("DOCKER_HOST", format!("unix://{}", place.path().join("none.sock")))
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["not-looked-at"][0]["engine"], "docker", "{found}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("docker was not looked at"));
    fs_err::create_dir_all(place.path().join("cache/layers/steps/podman")).unwrap();
    let found = document(&mut place.command("clean --engine embedded --json"));
    assert_eq!(found["not-looked-at"][0]["engine"], "podman", "{found}");
}

#[test]
fn one_kind_can_go_and_all_else_stays() {
    let place = furnished();
    let (compiles, work) = ("cache/compiles/mypkg/0/1/object", "store/work/ab12/src/setup.py");
    file(&place, compiles, 1 << 20, 1);
    file(&place, work, 1 << 20, 1);
    let shown = place.run("clean --compiles --dry-run");
    assert!(shown.contains("compiles of mypkg") && shown.contains("1 thing would go"), "{shown}");
    assert!(!shown.contains("layers") && place.path().join(compiles).exists(), "{shown}");
    place.run("clean --compiles --yes");
    assert!(!place.path().join(compiles).exists() && place.path().join(work).exists());
    place.run("clean --work --yes");
    assert!(!place.path().join(work).exists());
    assert!(place.path().join("cache/sources/0123456789abcdef").exists());
    let shown = place.run("clean --work --yes");
    assert!(shown.contains("nothing of that is there"), "{shown}");
}
