//! Limits, and what is measured.

use wheelmill_engine::{Container, Limits, MemoryWatch};
use wheelmill_model::ByteSize;

use crate::support::{everywhere, however_isolated, shell};

/// Holds 100 MB, long enough for whoever samples: `tail` keeps what it may have to print.
const HOLD: &str = "{ head -c 100000000 /dev/zero; sleep 2; } | tail -c 100000000 | wc -c";

#[test]
fn the_peak_of_memory_is_measured() {
    everywhere("limits::the_peak_of_memory_is_measured", |machine| {
        let ran = machine.run(&shell(HOLD));
        assert_eq!(ran.text.trim(), "100000000");
        let peak = ran.exit.peak_memory.unwrap().0;
        assert!((100_000_000..300_000_000).contains(&peak), "{ran:?}");
        assert_eq!(ran.exit.oom_kills, 0);
        assert_ne!(ran.exit.watch, MemoryWatch::None);
    });
}

#[test]
fn too_much_memory_is_a_kill_that_is_reported() {
    however_isolated("limits::too_much_memory_is_a_kill_that_is_reported", |machine| {
        let limits = Limits { memory: Some(ByteSize(50 << 20)), ..Limits::default() };
        let ran = machine.run(&Container { limits, ..shell(HOLD) });
        assert!(ran.exit.oom_kills > 0, "{ran:?}");
        if ran.exit.watch == MemoryWatch::Cgroup {
            let peak = ran.exit.peak_memory.unwrap();
            assert!(peak <= ByteSize(50 << 20), "{ran:?}");
        } else {
            assert_eq!(ran.exit.code, 137);
        }
    });
}

#[test]
fn processors_are_limited() {
    everywhere("limits::processors_are_limited", |machine| {
        let limits = Limits { cpus: Some(0.5), ..Limits::default() };
        // Two loops that would fill two processors for a while.
        let script = "for loop in 1 2; do timeout 0.6 sh -c 'while :; do :; done' & done; wait; \
                      set -- $(tail -n1 /proc/self/stat); times | tail -n1; nproc";
        let ran = machine.run(&Container { limits, ..shell(script) });
        let lines: Vec<_> = ran.text.lines().collect();
        if ran.exit.watch == MemoryWatch::Sampled {
            assert_eq!(lines[1], "1", "{ran:?}");
        } else {
            // Of the time of one processor, half.
            assert!(seconds(lines[0].split(' ').next().unwrap()) < 0.6, "{ran:?}");
        }
    });
}

/// What `times` writes: `0m0.310000s`.
fn seconds(text: &str) -> f64 {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}

#[test]
fn too_many_processes_are_refused_where_they_are_counted() {
    everywhere("limits::too_many_processes_are_refused_where_they_are_counted", |machine| {
        let limits = Limits { processes: Some(20), ..Limits::default() };
        let script = "for number in $(seq 40); do sleep 1 & done; echo all";
        let ran = machine.run(&Container { limits, ..shell(script) });
        if ran.exit.watch == MemoryWatch::Cgroup {
            assert!(!ran.text.contains("all"), "{ran:?}");
        }
    });
}
