//! The package's own part: its patches, its source, its wheel.

use wheelmill_engine::Exit;
use wheelmill_model::Phase;

use super::super::Cause;
use super::{COMPILE, FAILED, Setting, of_folder};

#[test]
fn a_patch_that_does_not_apply_is_told_with_its_file() {
    let patch = |log: &str, message: &str, line: &str| {
        let fix = "`wheelmill recipes show tiny-kernels`";
        COMPILE.tells(log, Cause::PatchFailed, message, fix, line);
    };
    patch(log!("patch-failed-hunk"), "does not apply to `setup.py` (hunk #1)", "FAILED");
    patch(log!("patch-failed-git"), "does not apply to `setup.py`", "patch failed");
    patch(log!("patch-failed-no-file"), "a file `csrc/nofile.cu`", "can't find file");
    patch(log!("patch-failed-again"), "is in this source already", "Reversed");
}

#[test]
fn the_first_error_of_a_compiler_is_quoted_with_its_place() {
    let fails = |log: &str, message: &str, line: &str| {
        COMPILE.tells(
            log,
            Cause::CompileError,
            message,
            "`wheelmill plan tiny-kernels --python 3.11`",
            line,
        );
    };
    fails(
        log!("compile-error-gcc"),
        "at `plain.cpp:3`: ‘class std::vector<int>’ has no member named ‘sizes’",
        "plain.cpp:3:44: error:",
    );
    fails(
        log!("compile-error-nvcc"),
        "at `t.cu:1`: identifier \"undefined_thing\"",
        "t.cu(1): error",
    );
    fails(log!("compile-error-ptxas"), "uses too much shared data", "ptxas error");
    fails(log!("compile-error-linker"), "does not find `nowhere(int)`", "undefined reference");
}

#[test]
fn what_is_wrong_in_a_folder_of_the_user_is_mended_there() {
    let mend = |log: &str, cause, message: &str, fix: &str, line: &str| {
        of_folder().tells(log, cause, message, fix, line);
        let failure = of_folder().diagnose(log);
        let useless = ["wheelmill plan", "patches", "submodules"];
        let told = failure.fixes.iter().find(|fix| useless.iter().any(|it| fix.contains(it)));
        assert_eq!(told, None, "a folder has one version and no repository");
    };
    let source = Cause::CompileError;
    mend(log!("compile-error-nvcc"), source, "`t.cu:1`", "Mend `/home/me/tiny/t.cu:1`", "t.cu(1)");
    mend(
        "/build/src/csrc/scale.cu(12): error: expected a \";\"",
        source,
        "expected a",
        "Mend `/home/me/tiny/csrc/scale.cu:12`",
        "scale.cu(12)",
    );
    mend(
        log!("compile-error-missing-source"),
        source,
        "does not have the file `gone.cpp`",
        "Put it into `/home/me/tiny`",
        "gone.cpp",
    );
    mend(
        log!("build-failed-syntax"),
        Cause::BuildFailed,
        "`SyntaxError: invalid syntax. Perhaps you forgot a comma?` at `setup.py:4`",
        "`/home/me/tiny/setup.py:4`",
        "SyntaxError",
    );
}

#[test]
fn an_error_in_a_header_of_others_may_be_a_matter_of_releases() {
    let log = "/opt/wheelmill/env/lib/torch/extension.h:9:1: error: torch needs C++17";
    let failure = of_folder().diagnose(log);
    assert!(failure.fixes.iter().any(|fix| fix.contains("`wheelmill plan ")), "{failure:#?}");
}

#[test]
fn a_source_that_lacks_a_file_is_told_apart_from_a_missing_header() {
    let fix = "`submodules = true` in `[recipes.tiny-kernels.source]`";
    COMPILE.tells(
        log!("compile-error-missing-source-ninja"),
        Cause::CompileError,
        "does not have the file `/build/src/csrc/causal_conv1d.cpp`",
        fix,
        "no known rule to make it",
    );
    COMPILE.tells(
        log!("compile-error-missing-source"),
        Cause::CompileError,
        "does not have the file `gone.cpp`",
        fix,
        "gone.cpp: No such file",
    );
}

#[test]
fn a_wheel_that_cannot_be_imported_is_told_by_what_the_loader_misses() {
    let verify = Setting { phase: Phase::Verify, ..COMPILE };
    verify.tells(
        log!("verdict-failed-symbol"),
        Cause::VerdictFailed,
        "built against another torch than the one that loads it",
        "--refresh`",
        "undefined symbol: _ZN3c10",
    );
    verify.tells(
        log!("verdict-failed-library"),
        Cause::VerdictFailed,
        "needs the library `libc10.so`",
        "`imports = [\"torch\", \"…\"]`",
        "libc10.so: cannot open",
    );
    verify.tells(
        log!("verdict-failed-name"),
        Cause::VerdictFailed,
        "No module named 'tiny_kernel'",
        "`wheelmill recipes show tiny-kernels`",
        "No module named 'tiny_kernel'",
    );
    verify.tells(
        "wheelmill: verify of tiny-kernels\nwheelmill: imported tiny_kernels._base\n\
         Traceback (most recent call last):\n  File \"<stdin>\", line 8, in <module>\n\
         RuntimeError: bad luck",
        Cause::VerdictFailed,
        "Importing `tiny_kernels` failed: `RuntimeError: bad luck`",
        "`wheelmill runs logs`",
        "RuntimeError: bad luck",
    );
}

#[test]
fn errors_that_the_build_survived_are_not_its_cause() {
    let quiet = |log: &str| COMPILE.diagnose(log);

    // The log of a build that went well, judged as if its last command had failed.
    for log in [log!("harmless-success"), log!("harmless-tests")] {
        let failure = quiet(log);
        assert_eq!(failure.cause, Cause::BuildFailed, "{failure:#?}");
    }

    // A missing module, a missing program, no network, a full disk and killed workers, all of
    // them survived.
    let failure = quiet(log!("harmless-tests-then-exception"));
    assert_eq!(failure.cause, Cause::BuildFailed, "{failure:#?}");
    assert!(failure.message.contains("ValueError: NOISY_BACKEND must be one of"), "{failure:#?}");
    COMPILE.tells(
        log!("harmless-tests-then-error"),
        Cause::CompileError,
        "at `noisy.cpp:3`: no return statement in function returning non-void",
        "`wheelmill plan tiny-kernels --python 3.11`",
        "noisy.cpp:4:27: error: ‘not_declared’",
    );
    COMPILE.tells(
        log!("harmless-probes-then-error"),
        Cause::CompileError,
        "at `/build/src/probe.cpp:1`: ‘missing_probe’ was not declared",
        "`wheelmill plan tiny-kernels --python 3.11`",
        "probe.cpp:1:27: error:",
    );
}

#[test]
fn a_log_without_a_named_cause_ends_in_the_last_word_of_the_build() {
    let stopped = Exit { cancelled: true, code: 137, ..FAILED };
    let failure = Setting { exit: Some(stopped), ..COMPILE }.diagnose(log!("out-of-memory-silent"));
    assert_eq!(
        (failure.cause, failure.message.as_str()),
        (Cause::BuildFailed, "The build was stopped.")
    );

    let failure = COMPILE.diagnose("wheelmill: compile of tiny-kernels");
    assert_eq!(failure.lines, [""; 0], "what wheelmill says itself tells nothing");
    assert_eq!(failure.cause, Cause::BuildFailed);
    assert!(failure.message.contains("exit code 1") && !failure.fixes.is_empty());
}

#[test]
fn a_repair_that_broke_is_told_by_what_auditwheel_says() {
    let repair = Setting { phase: Phase::Repair, ..COMPILE };
    repair.tells(
        log!("repair-failed-tool"),
        Cause::RepairFailed,
        "auditwheel could not repair the wheel: `ValueError: Cannot find required utility",
        "`repair = false` in `[recipes.tiny-kernels.wheel]`",
        "Cannot find required utility",
    );
}

#[test]
fn a_test_that_fails_on_a_gpu_is_not_taken_for_an_import() {
    let verify = Setting { phase: Phase::Verify, ..COMPILE };
    verify.tells(
        "wheelmill: imported tiny_kernels\nwheelmill: running the recipe's test on a GPU\n\
         Traceback (most recent call last):\n  File \"<string>\", line 3, in <module>\n\
         AssertionError: 3.0",
        Cause::VerdictFailed,
        "test failed on a GPU: `AssertionError: 3.0`",
        "`wheelmill runs logs`",
        "AssertionError: 3.0",
    );
}
