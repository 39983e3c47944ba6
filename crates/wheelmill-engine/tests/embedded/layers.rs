//! Steps become layers.

use std::fs;
use std::sync::mpsc::channel;
use std::thread;

use camino::Utf8Path;
use wheelmill_engine::{Cancel, Engine as _, EngineError, Hold, Mount, Prepared, StepInput};
use wheelmill_model::Digest;

use crate::support::{Listener, Machine, engine, environment, everywhere, shell, step};

#[test]
fn layers_build_on_each_other_and_are_made_once() {
    everywhere("layers::layers_build_on_each_other_and_are_made_once", |machine| {
        let steps = || {
            vec![
                step(
                    "mkdir -p /kit/old; echo 1 > /kit/one; echo 2 > /kit/two; echo 3 > /kit/old/three",
                ),
                step(
                    "rm /kit/one; rm -r /kit/old; mkdir /kit/old; echo 4 > /kit/old/four; echo 5 > /kit/two",
                ),
                step("mv /kit/old /kit/new; mkdir /opt/kit; ln -s /kit/new /opt/kit/link"),
            ]
        };
        let mut listener = Listener::default();
        let cancel = Cancel::new();
        let environment = environment(steps());
        let prepared = machine.engine.prepare(&environment, &mut listener, &cancel).unwrap();
        assert_eq!(listener.cached, [false; 3]);
        assert_eq!(prepared.digest, machine.engine.digest(&environment).unwrap());
        let look = shell(
            "cd /kit; find . /opt/kit | sort | xargs; cat two /opt/kit/link/four; rm -r /kit",
        );
        for _ in 0..2 {
            let seen = machine.run_in(&prepared, &look).text();
            assert_eq!(seen, ". ./new ./new/four ./two /opt/kit /opt/kit/link\n5\n4\n");
        }
        let mut listener = Listener::default();
        let again = machine.engine.prepare(&environment, &mut listener, &cancel).unwrap();
        assert_eq!((listener.cached, again), (vec![true; 3], prepared));
    });
}

#[test]
fn a_failed_step_shows_its_last_words_and_leaves_nothing() {
    everywhere("layers::a_failed_step_shows_its_last_words_and_leaves_nothing", |machine| {
        let fails = step("echo > /kit; seq 100000; echo the reason >&2; exit 3");
        match machine.prepare(vec![step("true"), fails]) {
            Err(EngineError::Step { exit, tail, .. }) => {
                assert_eq!(exit.code, 3);
                assert!(tail.ends_with("the reason\n") && tail.len() < 10_000, "{tail}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(machine.engine.layers().unwrap().len(), 1);
        assert_eq!(unfinished(machine), 0);
    });
}

#[test]
fn a_cancelled_step_leaves_nothing() {
    everywhere("layers::a_cancelled_step_leaves_nothing", |machine| {
        let cancel = Cancel::new();
        let prepared = thread::scope(|scope| {
            let prepare = scope.spawn(|| {
                let environment = environment(vec![step("echo > /kit; sleep 600")]);
                machine.engine.prepare(&environment, &mut Listener::default(), &cancel)
            });
            while unfinished(machine) == 0 {
                thread::yield_now();
            }
            cancel.cancel();
            prepare.join().unwrap()
        });
        assert!(matches!(prepared, Err(EngineError::Cancelled)), "{prepared:?}");
        assert_eq!((machine.engine.layers().unwrap().len(), unfinished(machine)), (0, 0));
    });
}

/// How many layers are in the making, or were left so.
fn unfinished(machine: &Machine) -> usize {
    let modes = fs::read_dir(machine.state.join("layers/steps")).into_iter().flatten().flatten();
    let entries = modes.flat_map(|mode| fs::read_dir(mode.path()).unwrap().flatten());
    entries.filter(|entry| entry.file_name().to_str().unwrap().ends_with(".new")).count()
}

#[test]
fn two_who_want_the_same_layer_make_it_once() {
    everywhere("layers::two_who_want_the_same_layer_make_it_once", |machine| {
        let log = machine.folder("log");
        let mut once = step("echo made >> /log/made; sleep 0.2; echo > /kit");
        once.mounts.push(Mount { source: log.clone(), target: "/log".into(), writable: true });
        thread::scope(|scope| {
            for _ in 0..4 {
                // Each with its own engine, as two programs have.
                scope.spawn(|| {
                    let engine = engine(&machine.state);
                    let environment = environment(vec![once.clone()]);
                    engine.prepare(&environment, &mut Listener::default(), &Cancel::new()).unwrap();
                });
            }
        });
        assert_eq!(fs::read_to_string(log.join("made")).unwrap(), "made\n");
    });
}

#[test]
fn who_waits_for_another_thread_of_the_same_engine_is_told_so() {
    everywhere("layers::who_waits_for_another_thread_of_the_same_engine_is_told_so", |machine| {
        let log = machine.folder("log");
        // It ends when the other one has been told that it waits.
        let mut once = step("echo made >> /log/made; until test -e /log/go; do sleep 0.01; done");
        once.mounts.push(Mount { source: log.clone(), target: "/log".into(), writable: true });
        let environment = environment(vec![once]);
        let (say, heard) = channel();
        let mut cached = thread::scope(|scope| {
            let both = [(), ()].map(|()| {
                let waits = Some(say.clone());
                scope.spawn(|| {
                    let mut listener = Listener { waits, ..Listener::default() };
                    machine.engine.prepare(&environment, &mut listener, &Cancel::new()).unwrap();
                    listener.cached
                })
            });
            assert_eq!(heard.recv().unwrap(), environment.steps[0].title);
            fs::write(log.join("go"), "").unwrap();
            both.map(|thread| thread.join().unwrap())
        });
        cached.sort();
        assert_eq!(cached, [[false], [true]]);
        assert_eq!(fs::read_to_string(log.join("made")).unwrap(), "made\n");
    });
}

#[test]
fn places_of_mounts_do_not_stay_in_the_layer() {
    everywhere("layers::places_of_mounts_do_not_stay_in_the_layer", |machine| {
        let cache = machine.folder("cache");
        let input = cache.join("input");
        fs::write(&input, "text").unwrap();
        let target =
            |path: &str| Mount { source: cache.clone(), target: path.into(), writable: true };
        let first = step("mkdir -p /kit/filled; rm -rf /kit/hole; echo > /kit/filled/own");
        let mut second = step("cat /kit/input; echo x > /kit/cache/deep/written; echo > /kit/made");
        second.inputs.push(StepInput {
            source: input,
            target: "/kit/input".into(),
            digest: Digest::of(b"text"),
        });
        second.mounts =
            vec![target("/kit/cache/deep"), target("/kit/filled/sub"), target("/opt/a/b")];
        let prepared = machine.prepare(vec![first, second]).unwrap();
        let seen = machine.run_in(&prepared, &shell("find /kit | sort | xargs; test ! -e /opt/a"));
        assert_eq!(seen.text(), "/kit /kit/filled /kit/filled/own /kit/made\n");
        assert_eq!(fs::read_to_string(cache.join("written")).unwrap(), "x\n");
    });
}

#[test]
fn layers_are_removed_but_not_under_somebody() {
    everywhere("layers::layers_are_removed_but_not_under_somebody", |machine| {
        // Folders that their owner cannot look into, and files of other users.
        let prepared = machine
            .prepare(vec![step("mkdir -p /kit/closed/in; chown -R 33 /kit; chmod 000 /kit/closed")])
            .unwrap();
        let (key, _) = machine.engine.layers().unwrap()[0];
        assert_eq!(key, prepared.digest);
        let (first, second) = (prepared.clone(), prepared);
        drop(first);
        assert!(!machine.engine.remove_layer(&key).unwrap(), "it is in use");
        drop(second);
        assert!(machine.engine.remove_layer(&key).unwrap());
        assert_eq!(machine.engine.layers().unwrap().len(), 0);
        assert_eq!(unfinished(machine), 0);
    });
}

#[test]
fn very_many_layers_are_no_problem() {
    everywhere("layers::very_many_layers_are_no_problem", |machine| {
        // With paths, the options of the mount would have many times the 4096 bytes that it reads.
        let layer = |number: u32| {
            let folder = machine.state.join(format!("layer, with: a \\ long name/{number}/root"));
            fs::create_dir_all(folder.join("kit")).unwrap();
            fs::write(folder.join(format!("kit/{number}")), "").unwrap();
            folder
        };
        let mut layers = vec![Utf8Path::new("/").to_owned()];
        layers.extend((0..400).map(layer));
        let prepared = Prepared {
            digest: Digest::of(b""),
            layers,
            folder: "/made".into(),
            environment: Vec::new(),
            hold: Hold::default(),
        };
        let seen = machine.run_in(&prepared, &shell("ls /kit | wc -l; echo > /kit/new"));
        assert_eq!(seen.text(), "400\n");
    });
}
