//! Limits, and what is measured.

use wheelmill_engine::{Container, Limits, MemoryWatch};
use wheelmill_model::ByteSize;

use crate::support::{everywhere, shell};

/// Holds 100 MB for a while: `tail` keeps what it may have to print.
const HOLD: &str = "{ head -c 100000000 /dev/zero; sleep 0.4; } | tail -c 100000000 | wc -c";

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
    everywhere("limits::too_much_memory_is_a_kill_that_is_reported", |machine| {
        let limits = Limits { memory: Some(ByteSize(50 << 20)), ..Limits::default() };
        // Long enough for whoever samples.
        let ran = machine.run(&Container { limits, ..shell(&HOLD.replace("0.4", "2")) });
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
fn fewer_processors_are_fewer_processors() {
    everywhere("limits::fewer_processors_are_fewer_processors", |machine| {
        let limits = Limits { cpus: Some(0.2), ..Limits::default() };
        let ran = machine.run(&Container {
            limits,
            ..shell("i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; cat /proc/self/stat | wc -c; times")
        });
        assert!(ran.exit.success(), "{ran:?}");
    });
}
