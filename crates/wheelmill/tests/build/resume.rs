//! Builds that are stopped go on from the objects that they had, and give the same wheel.

use std::collections::BTreeSet;
use std::process::Child;

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::place::{Place, recipe, source, walk};
use crate::shell::AtTerminal;

const BUILD: &str = "build tinyninja --cuda 13.0 --arch 9.0";
const PARTS: usize = 6;
/// All sources: the parts, the module and the kernel.
const SOURCES: usize = PARTS + 2;
/// How many compilers the package runs at a time.
const AT_A_TIME: usize = 2;

/// So many that something is left to compile after the last, though two may end before each.
const KILLS: usize = 3;

/// A place with the package `tinyninja` and its recipe.
fn place() -> Place {
    let place = Place::empty();
    testkit::write_ninja_package(&place.path().join("tinyninja"), PARTS);
    write_recipe(&place, "");
    place
}

/// The recipe, with lines added to its `[build]` table.
fn write_recipe(place: &Place, build: &str) {
    let recipe = source("tinyninja") + &recipe("tinyninja", build, "tinyninja");
    fs_err::write(place.path().join("wheelmill.toml"), recipe).unwrap();
}

/// Starts the build, and waits until so many sources are compiled.
fn start(place: &Place, compiled: usize) -> Child {
    // ninja says so with every command, which it prints.
    place.start_command(&mut place.command(BUILD), &format!("[{compiled}/{SOURCES}]"))
}

fn signal(mut child: Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    child.wait().unwrap();
}

/// Builds to the end; the cell.
#[track_caller]
fn build(place: &Place) -> Value {
    build_with(place, "")
}

#[track_caller]
fn build_with(place: &Place, more: &str) -> Value {
    let cell = place.run(&format!("{BUILD} --json {more}")).expect(0).cell();
    assert_eq!(cell["outcome"], "built", "{cell}");
    cell
}

/// The sources that were compiled to the end, by a log.
fn compiled(log: &Utf8Path) -> BTreeSet<String> {
    let text = fs_err::read_to_string(log).unwrap();
    let sources = text.lines().filter_map(|line| line.strip_prefix("compiled "));
    sources.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
}

fn log_of(cell: &Value) -> Utf8PathBuf {
    cell["log"].as_str().unwrap().into()
}

/// The log of the first build of a place.
fn first_log(place: &Place) -> Utf8PathBuf {
    let mut logs = walk(&place.store().join("logs"));
    logs.retain(|path| path.extension() == Some("log"));
    logs.sort();
    logs.remove(0)
}

fn digest(cell: &Value) -> &str {
    cell["wheel"]["digest"].as_str().unwrap()
}

#[track_caller]
fn assert_resumed(cell: &Value, resumed: bool) {
    let text = fs_err::read_to_string(log_of(cell)).unwrap();
    assert_eq!(text.contains("going on from the last attempt"), resumed, "{text}");
}

#[test]
fn a_build_that_is_stopped_goes_on_and_gives_the_same_wheel() {
    let quiet = place();
    let undisturbed = build(&quiet);
    assert_eq!(compiled(&log_of(&undisturbed)).len(), SOURCES);
    for how in [Signal::SIGINT, Signal::SIGKILL] {
        let place = place();
        signal(start(&place, 3), how);
        let before = compiled(&first_log(&place));
        assert!(before.len() >= 3 && before.len() < SOURCES, "{before:?}");
        let cell = build(&place);
        assert_resumed(&cell, true);
        let after = compiled(&log_of(&cell));
        assert_eq!(before.union(&after).count(), SOURCES, "{how}: {before:?} {after:?}");
        // ninja says that a compile has ended before it writes that down.
        let twice = before.intersection(&after).count();
        assert!(twice <= AT_A_TIME, "{how}: {twice} were compiled twice: {before:?} {after:?}");
        assert_eq!(digest(&cell), digest(&undisturbed), "{how}");
        let run = place.run("runs show last --json --verbose").expect(0).stdout;
        assert!(run.contains("\"resumed\""), "{run}");
        assert!(!place.has_work());
    }
}

#[test]
fn a_build_that_is_killed_again_and_again_comes_to_its_end() {
    let place = place();
    let mut done = BTreeSet::new();
    let mut all = 0;
    for _ in 0..KILLS {
        // Whatever is left to do: until the first compile of this attempt has ended.
        let known = walk(&place.store().join("logs"));
        let mut child = place.command(BUILD).stderr(std::process::Stdio::null()).spawn().unwrap();
        let log = loop {
            let mut logs = walk(&place.store().join("logs"));
            logs.retain(|path| path.extension() == Some("log") && !known.contains(path));
            if let Some(log) = logs.pop()
                && !compiled(&log).is_empty()
            {
                break log;
            }
            assert!(child.try_wait().unwrap().is_none(), "the build ended before a compile");
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        signal(child, Signal::SIGKILL);
        let now = compiled(&log);
        all += now.len();
        done.extend(now);
    }
    let cell = build(&place);
    let last = compiled(&log_of(&cell));
    all += last.len();
    done.extend(last);
    assert_eq!(done.len(), SOURCES);
    assert!(all <= SOURCES + KILLS * AT_A_TIME, "{all} compiles of {SOURCES} sources");
}

#[test]
fn what_another_recipe_or_a_person_has_changed_is_not_used() {
    let place = place();
    signal(start(&place, 3), Signal::SIGKILL);
    write_recipe(&place, "environment = { ANOTHER = \"1\" }");
    let other = build(&place);
    assert_resumed(&other, false);
    assert_eq!(compiled(&log_of(&other)).len(), SOURCES);
    write_recipe(&place, "");
    let mut shell = AtTerminal::start(place.command("shell tinyninja --cuda 13.0 --arch 9.0"));
    shell.wait_for("as it was left");
    shell.wait_for("# ");
    shell.type_keys("exit\r");
    assert!(shell.end().success());
    let cell = build(&place);
    assert_resumed(&cell, false);
    assert_eq!(compiled(&log_of(&cell)).len(), SOURCES);
}

#[test]
fn clean_makes_the_next_build_start_anew() {
    let place = place();
    signal(start(&place, 3), Signal::SIGINT);
    let shown = place.run("clean --work --dry-run").expect(0).stdout;
    assert!(shown.contains("not built yet"), "{shown}");
    place.run("clean --work --yes").expect(0);
    let cell = build(&place);
    assert_resumed(&cell, false);
    assert_eq!(compiled(&log_of(&cell)).len(), SOURCES);
}

#[test]
fn who_trusts_nothing_that_was_compiled_before_starts_anew() {
    let place = place();
    signal(start(&place, 3), Signal::SIGINT);
    let cell = build_with(&place, "--no-cache");
    assert_resumed(&cell, false);
    assert_eq!(compiled(&log_of(&cell)).len(), SOURCES);
}

/// Some scripts make the folder of their objects and fail where it is there.
#[test]
fn a_build_that_cannot_go_on_starts_anew_by_itself() {
    let place = place();
    fs_err::write(place.path().join("tinyninja/unwanted"), "").unwrap();
    signal(start(&place, 3), Signal::SIGKILL);
    let cell = build(&place);
    assert_resumed(&cell, true);
    let text = fs_err::read_to_string(log_of(&cell)).unwrap();
    assert!(text.contains("it starts anew"), "{text}");
    assert_eq!(compiled(&log_of(&cell)).len(), SOURCES);
}

/// Where there are no namespaces, objects have the host's paths in ninja's log.
#[test]
fn a_build_goes_on_where_there_are_no_namespaces() {
    let place = place();
    let build = format!("{BUILD} --isolation landlock");
    let marker = format!("[3/{SOURCES}]");
    signal(place.start_command(&mut place.command(&build), &marker), Signal::SIGKILL);
    let cell = place.run(&format!("{build} --json")).expect(0).cell();
    assert_resumed(&cell, true);
    assert!(compiled(&log_of(&cell)).len() <= SOURCES - 3 + AT_A_TIME);
}
