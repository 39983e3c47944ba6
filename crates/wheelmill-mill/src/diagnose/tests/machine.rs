//! The machine's part: memory, disk, engine.

use wheelmill_engine::{Exit, MemoryWatch};
use wheelmill_model::ByteSize;

use super::super::{Admitted, Cause, Lost};
use super::{COMPILE, FAILED, FETCH, Setting};

#[test]
fn memory_is_the_cause_where_the_kernel_counts_a_kill() {
    let killed = Setting { exit: Some(Exit { oom_kills: 2, ..FAILED }), ..COMPILE };
    killed.tells(
        log!("out-of-memory-cc1plus"),
        Cause::OutOfMemory,
        "`cc1plus` was killed for memory: the build held 700 MiB of the 800 MiB that it may use, \
         with 2 compiles at once",
        "`wheelmill build tiny-kernels --cuda 13.0 --torch 2.11 --python 3.11 --cpus 1`",
        "Killed signal terminated program cc1plus",
    );
    let alone = Setting { jobs: 1, ..killed };
    alone.tells(
        log!("out-of-memory-nvcc"),
        Cause::OutOfMemory,
        "was killed for memory",
        "--memory 2GiB`",
        "FAILED: [code=137]",
    );
    alone.tells(
        log!("out-of-memory-python"),
        Cause::OutOfMemory,
        "was killed for memory",
        "--memory 2GiB`",
        "(signal: 9 (SIGKILL))",
    );
}

#[test]
fn a_compile_that_the_gate_could_not_help_is_named_with_what_it_needs() {
    let lost = Lost {
        source: "/build/src/csrc/wide.cu".to_owned(),
        peak: ByteSize((690 << 20) + 4096),
        budget: Some(ByteSize(720 << 20)),
        alone: true,
    };
    let admitted = Some(Admitted { recovered: 1, lost: Some(Box::leak(Box::new(lost))) });
    let killed = Exit { oom_kills: 2, ..FAILED };
    Setting { exit: Some(killed), admitted, ..COMPILE }.tells(
        log!("out-of-memory-nvcc"),
        Cause::OutOfMemory,
        "`csrc/wide.cu` needs more memory than there is: its compiler was killed at 690 MiB with \
         nothing beside it, and compilers can have 720 MiB: the rest of the memory is for the build \
         itself and the files that it reads.",
        "--memory 1602MiB`",
        "FAILED: [code=137]",
    );
}

#[test]
fn kills_that_the_gate_made_good_are_no_cause() {
    let admitted = Some(Admitted { recovered: 2, lost: None });
    let exit = Some(Exit { oom_kills: 2, ..FAILED });
    let log = format!(
        "{}\n/build/src/csrc/scale.cu(12): error: expected a \";\"\n",
        log!("out-of-memory-cc1plus")
    );
    let failure = Setting { exit, admitted, ..COMPILE }.diagnose(&log);
    assert_eq!(failure.cause, Cause::CompileError, "{failure:#?}");
    let exit = Some(Exit { oom_kills: 3, ..FAILED });
    let failure = Setting { exit, admitted, ..COMPILE }.diagnose(log!("out-of-memory-cc1plus"));
    assert_eq!(failure.cause, Cause::OutOfMemory, "one kill was not made good: {failure:#?}");
    assert!(!failure.message.contains("at once"), "{failure:#?}");
}

#[test]
fn memory_is_the_cause_where_the_engine_sampled_and_killed_the_build() {
    let exit = Exit { code: 137, oom_kills: 1, watch: MemoryWatch::Sampled, ..FAILED };
    Setting { exit: Some(exit), ..COMPILE }.tells(
        log!("out-of-memory-silent"),
        Cause::OutOfMemory,
        "held 700 MiB when it was looked at, and may use 800 MiB",
        "--cpus 1`",
        "",
    );
}

#[test]
fn memory_is_the_cause_where_a_program_was_refused_it() {
    COMPILE.tells(
        log!("out-of-memory-address-space"),
        Cause::OutOfMemory,
        "asked for memory and got none",
        "--cpus 1`",
        "virtual memory exhausted",
    );
    COMPILE.tells(
        log!("out-of-memory-exception"),
        Cause::OutOfMemory,
        "asked for memory and got none",
        "--cpus 1`",
        "MemoryError",
    );
}

#[test]
fn a_killed_compiler_without_a_count_is_judged_by_how_memory_was_watched() {
    let unwatched = Exit { watch: MemoryWatch::None, peak_memory: None, ..FAILED };
    let failure = Setting { exit: Some(unwatched), memory_limit: None, ..COMPILE }
        .diagnose(log!("out-of-memory-cc1plus"));
    assert_eq!(failure.cause, Cause::OutOfMemory);
    assert!(failure.message.contains("the machine's memory is used up"), "{}", failure.message);

    let failure = Setting { exit: Some(unwatched), ..COMPILE }
        .diagnose("g++: internal compiler error: Killed (program cc1plus)");
    assert!(failure.message.starts_with("`cc1plus` was killed for memory"), "{failure:#?}");

    let failure = COMPILE.diagnose(log!("out-of-memory-cc1plus"));
    assert_eq!(failure.cause, Cause::BuildFailed);
    assert!(failure.message.starts_with("`cc1plus` was killed from outside"), "{failure:#?}");
}

#[test]
fn a_full_disk_is_named_with_what_was_written() {
    let full = |setting: Setting, log: &str, message: &str| {
        let line = "No space left on device";
        setting.tells(log, Cause::DiskFull, message, "`df --human-readable`", line);
    };
    full(COMPILE, log!("disk-full-compiler"), "when writing `/build/small/");
    full(FETCH, log!("disk-full-uv"), "The disk is full");
    full(FETCH, log!("disk-full-pip"), "The disk is full");
    full(COMPILE, log!("disk-full-assembler"), "when writing `/build/src/build/temp.linux");
}

#[test]
fn a_daemon_that_is_gone_is_told_apart_from_a_build() {
    let gone = Setting { exit: None, ..COMPILE };
    gone.tells(
        log!("engine-gone-docker"),
        Cause::EngineGone,
        "The Docker daemon at unix:///var/run/docker.sock does not answer",
        "--engine embedded`",
        "Cannot connect to the Docker daemon",
    );
    assert_ne!(COMPILE.diagnose(log!("engine-gone-docker")).cause, Cause::EngineGone);
    // The kernel says "No space left on device" when it means namespaces.
    gone.tells(
        log!("engine-gone-namespaces"),
        Cause::EngineGone,
        "allows no more user namespaces",
        "`sudo sysctl user.max_user_namespaces=15000`",
        "unshare failed",
    );
}
