//! Real logs, kept in `tests/logs`, and what must be said of them.

use std::time::Duration;

use camino::Utf8Path;
use wheelmill_engine::{Exit, MemoryWatch};
use wheelmill_model::{ByteSize, CudaVersion, PackageName, Phase, TorchVersion};

use super::{Cause, Evidence, Failure, diagnose};

/// The text of a log of `tests/logs`.
macro_rules! log {
    ($name:literal) => {
        include_str!(concat!("../../tests/logs/", $name, ".log"))
    };
}

/// How a build failed, apart from its log; what a test does not say is as usual.
struct Setting {
    phase: Phase,
    exit: Option<Exit>,
    memory_limit: Option<ByteSize>,
    jobs: usize,
    network: bool,
    cuda: CudaVersion,
    torch: Option<TorchVersion>,
}

const FAILED: Exit = Exit {
    code: 1,
    peak_memory: Some(ByteSize(700 << 20)),
    oom_kills: 0,
    watch: MemoryWatch::Cgroup,
    wall: Duration::from_secs(60),
    cancelled: false,
};

const COMPILE: Setting = Setting {
    phase: Phase::Compile,
    exit: Some(FAILED),
    memory_limit: Some(ByteSize(800 << 20)),
    jobs: 2,
    network: false,
    cuda: CudaVersion::new(13, 0),
    torch: Some(TorchVersion::new(2, 11)),
};

const FETCH: Setting = Setting { phase: Phase::Environment, network: true, ..COMPILE };

impl Setting {
    fn diagnose(&self, log: &str) -> Failure {
        let package: PackageName = "tiny-kernels".parse().unwrap();
        let tail: Vec<String> = log.lines().map(ToOwned::to_owned).collect();
        diagnose(&Evidence {
            phase: self.phase,
            exit: self.exit.as_ref(),
            log: Some(Utf8Path::new("/store/logs/1.log")),
            tail: &tail,
            memory_limit: self.memory_limit,
            jobs: self.jobs,
            network: self.network,
            cuda: self.cuda,
            torch: self.torch,
            package: &package,
        })
    }

    /// Checks the cause, a part of the message, a part of the first fix, and a telling line.
    #[track_caller]
    fn tells(&self, log: &str, cause: Cause, message: &str, fix: &str, line: &str) {
        let failure = self.diagnose(log);
        assert_eq!(failure.cause, cause, "{failure:#?}");
        assert!(failure.message.contains(message), "{failure:#?}");
        assert!(failure.fixes.first().is_some_and(|first| first.contains(fix)), "{failure:#?}");
        let told = failure.lines.iter().any(|told| told.contains(line));
        assert!(told || line.is_empty() && failure.lines.is_empty(), "{failure:#?}");
        assert!(failure.lines.len() <= 8);
        assert!(failure.lines.iter().all(|line| line.chars().count() <= 300));
    }
}

#[test]
fn memory_is_the_cause_where_the_kernel_counts_a_kill() {
    let killed = Setting { exit: Some(Exit { oom_kills: 2, ..FAILED }), ..COMPILE };
    killed.tells(
        log!("out-of-memory-cc1plus"),
        Cause::OutOfMemory,
        "`cc1plus` was killed for memory: the build held 700 MiB of the 800 MiB that it may use, \
         with 2 compiles at once",
        "`wheelmill build tiny-kernels --cuda 13.0 --torch 2.11 --cpus 1`",
        "Killed signal terminated program cc1plus",
    );
    let alone = Setting { jobs: 1, ..killed };
    alone.tells(
        log!("out-of-memory-nvcc"),
        Cause::OutOfMemory,
        "was killed for memory",
        "--memory 1600MiB`",
        "FAILED: [code=137]",
    );
    alone.tells(
        log!("out-of-memory-python"),
        Cause::OutOfMemory,
        "was killed for memory",
        "--memory 1600MiB`",
        "(signal: 9 (SIGKILL))",
    );
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

    let failure = COMPILE.diagnose(log!("out-of-memory-cc1plus"));
    assert_eq!(failure.cause, Cause::BuildFailed);
    assert!(failure.message.starts_with("`cc1plus` was killed from outside"), "{failure:#?}");
}

#[test]
fn the_toolkit_must_be_of_torchs_release_and_of_one_release() {
    Setting { cuda: CudaVersion::new(11, 8), ..COMPILE }.tells(
        log!("cuda-torch-mismatch"),
        Cause::CudaTorchMismatch,
        "found a CUDA 11.8 toolkit, and torch 2.11 was built with CUDA 13.0",
        "`wheelmill build tiny-kernels --cuda 13.0 --torch 2.11`",
        "mismatches the version",
    );
    COMPILE.tells(
        log!("cuda-torch-mismatch"),
        Cause::CudaTorchMismatch,
        "found a CUDA 11.8 toolkit",
        "Take `CUDA_HOME` and `PATH` out of `environment`",
        "mismatches the version",
    );
    COMPILE.tells(
        log!("cuda-torch-mismatch-parts"),
        Cause::CudaTorchMismatch,
        "writes PTX 9.5 and its assembler reads PTX up to 9.0",
        "--refresh`",
        "Unsupported .version 9.5",
    );
}

#[test]
fn unknown_architectures_are_named_with_the_release_that_knows_them() {
    COMPILE.tells(
        log!("unknown-architecture-nvcc"),
        Cause::UnknownArchitecture,
        "nvcc of CUDA 13.0 does not compile for `compute_60`, 12.9 was the last release that did",
        "`wheelmill build tiny-kernels --cuda 13.0 --torch 2.11 --arch all-major`",
        "Unsupported gpu architecture",
    );
    COMPILE.tells(
        log!("unknown-architecture-cmake"),
        Cause::UnknownArchitecture,
        "does not compile for `compute_60`",
        "--arch all-major`",
        "Unsupported gpu architecture",
    );
    Setting { cuda: CudaVersion::new(11, 8), torch: None, ..COMPILE }.tells(
        log!("unknown-architecture-make"),
        Cause::UnknownArchitecture,
        "does not compile for `sm_120`, 12.8 is the first release that does",
        "--arch all-major`",
        "sm_120",
    );
    COMPILE.tells(
        log!("unknown-architecture-torch"),
        Cause::UnknownArchitecture,
        "torch 2.11 does not know the GPU architecture `13.7`",
        "--arch all-major`",
        "Unknown CUDA arch (13.7)",
    );
    COMPILE.tells(
        log!("unknown-architecture-unset"),
        Cause::UnknownArchitecture,
        "No GPU architecture was named",
        "`variable = \"TORCH_CUDA_ARCH_LIST\"`",
        "arch_list[-1] += '+PTX'",
    );
}

#[test]
fn a_host_compiler_that_is_too_new_is_named_with_the_limit() {
    let old = Setting { cuda: CudaVersion::new(11, 8), torch: None, ..COMPILE };
    old.tells(
        log!("host-compiler-too-new-cmake"),
        Cause::HostCompilerTooNew,
        "nvcc of CUDA 11.8 works with gcc up to 11, and the compiler here is gcc 12",
        "--base docker.io/nvidia/cuda:11.8.0-devel-ubuntu22.04`",
        "unsupported GNU version",
    );
    old.tells(
        log!("host-compiler-too-new-make"),
        Cause::HostCompilerTooNew,
        "works with gcc up to 11, and the compiler here is newer",
        "--base docker.io/nvidia/cuda:11.8.0-devel-ubuntu22.04`",
        "unsupported GNU version",
    );
    old.tells(
        log!("host-compiler-too-new-debian"),
        Cause::HostCompilerTooNew,
        "no host compiler that it supports",
        "--base docker.io/nvidia/cuda:11.8.0-devel-ubuntu22.04`",
        "No supported gcc/g++ host compiler",
    );
    COMPILE.tells(
        log!("host-compiler-too-new-torch"),
        Cause::HostCompilerTooNew,
        "nvcc of CUDA 13.0 works with g++ up to 15, and the compiler here is g++ 16.2.0",
        "--base docker.io/nvidia/cuda:13.0.1-devel-ubuntu22.04`",
        "installed version of g++ (16.2.0)",
    );
}

#[test]
fn missing_modules_are_named_with_what_brings_them() {
    Setting { torch: None, ..COMPILE }.tells(
        log!("missing-torch-isolated"),
        Cause::MissingTorch,
        "imports torch, and the build environment has none",
        "`torch = true` in `[recipes.tiny-kernels.build]`",
        "No module named 'torch'",
    );
    COMPILE.tells(
        log!("missing-torch-isolated"),
        Cause::MissingTorch,
        "does not see the environment's torch 2.11",
        "--no-build-isolation",
        "No module named 'torch'",
    );
    Setting { torch: None, ..COMPILE }.tells(
        log!("missing-torch-scatter"),
        Cause::MissingTorch,
        "imports torch, and the build environment has none",
        "`torch = true`",
        "No module named 'torch'",
    );
    COMPILE.tells(
        log!("missing-module-import"),
        Cause::MissingModule,
        "the Python module `pybind11`",
        "Add `\"pybind11\"` to `requires`",
        "No module named 'pybind11'",
    );
    COMPILE.tells(
        log!("missing-module-backend"),
        Cause::MissingModule,
        "the Python module `mesonpy`",
        "Add `\"meson-python\"` to `requires`",
        "No module named 'mesonpy'",
    );
}

#[test]
fn missing_tools_are_named_with_what_brings_them() {
    let missing = |log: &str, message: &str, fix: &str, line: &str| {
        COMPILE.tells(log, Cause::MissingTool, message, fix, line);
    };
    missing(
        log!("missing-tool-nvcc"),
        "does not find the CUDA compiler nvcc at `/usr/local/cuda/bin/nvcc`",
        "Take `CUDA_HOME`",
        "nvcc not found at",
    );
    missing(log!("missing-tool-cuda-home"), "nvcc", "Take `CUDA_HOME`", "CUDA_HOME environment");
    missing(log!("missing-tool-cmake-nvcc"), "nvcc", "Take `CUDA_HOME`", "Failed to find nvcc");
    missing(log!("missing-tool-gcc"), "`g++`", "Add `\"c++\"` to `system-packages`", "(0.0.0)");
    missing(log!("missing-tool-cmake-gcc"), "`g++`", "Add `\"c++\"`", "CMAKE_CXX_COMPILER");
    missing(log!("missing-tool-distutils-gcc"), "`g++`", "Add `\"c++\"`", "command 'g++' failed");
    missing(log!("missing-tool-make"), "`make`", "Add `\"c++\"`", "'make'");
    missing(
        log!("missing-tool-header-cublas"),
        "The header `cublas_v2.h` is not there",
        "Add `\"cublas\"` to `cuda-libraries`",
        "cublas_v2.h",
    );
    missing(
        log!("missing-tool-header"),
        "The header `nlohmann/json.hpp` is not there",
        "`system-packages`",
        "nlohmann/json.hpp",
    );
    missing(
        log!("missing-tool-library"),
        "the library `libnuma_missing`",
        "`system-packages`",
        "cannot find -lnuma_missing",
    );
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
fn an_unreachable_network_is_told_by_what_is_wrong_with_it() {
    let no_network = |log: &str, message: &str, fix: &str, line: &str| {
        FETCH.tells(log, Cause::NoNetwork, message, fix, line);
    };
    no_network(
        log!("no-network-uv"),
        "`pypi.org` could not be resolved",
        "`getent hosts pypi.org`",
        "dns error",
    );
    no_network(log!("no-network-pip"), "`pypi.org` could not", "getent", "Failed to resolve");
    no_network(log!("no-network-apt"), "`deb.debian.org` could not", "getent", "resolving");
    no_network(log!("no-network-apt-install"), "`deb.debian.org`", "getent", "resolving");
    no_network(log!("no-network-git"), "`github.com` could not", "getent", "resolve host");
    no_network(log!("no-network-proxy-uv"), "through the proxy", "_proxy`", "tunnel error");
    no_network(
        log!("no-network-tls-uv"),
        "`localhost` shows a certificate",
        "SSL_CERT_FILE=",
        "invalid peer",
    );
    no_network(
        log!("no-network-tls-pip"),
        "`localhost` shows a certificate",
        "SSL_CERT_FILE=",
        "CERTIFICATE_VERIFY",
    );
    no_network(
        log!("no-network-503-uv"),
        "`localhost` is reachable and answers with 503",
        "Try again later",
        "503",
    );
    no_network(
        log!("no-network-offline"),
        "not in the cache",
        "Once with the network",
        "network was disabled",
    );
}

#[test]
fn a_build_that_reaches_out_names_the_host() {
    let reached = |log: &str, host: &str, line: &str| {
        let message = format!("The build tried to reach `{host}`");
        COMPILE.tells(
            log,
            Cause::NetworkWhileCompiling,
            &message,
            "`environment = { TINY_KERNELS_FORCE_BUILD",
            line,
        );
    };
    COMPILE.tells(
        log!("network-while-compiling-urllib"),
        Cause::NetworkWhileCompiling,
        "The build tried to reach the network",
        "`environment = {",
        "Temporary failure in name resolution",
    );
    reached(log!("network-while-compiling-wheel"), "github.com", "Guessing wheel URL");
    reached(log!("network-while-compiling-git"), "github.com", "Could not resolve host");
    reached(log!("network-while-compiling-pip"), "pypi.org", "Failed to resolve");
    reached(log!("network-while-compiling-cmake"), "github.com", "resolve host");

    let allowed = Setting { network: true, ..COMPILE };
    let failure = allowed.diagnose(log!("network-while-compiling-git"));
    assert_eq!(
        failure.cause,
        Cause::NoNetwork,
        "a network that is on and fails is not the build's fault"
    );
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

#[test]
fn what_the_index_does_not_have_is_named() {
    FETCH.tells(
        log!("unknown-package-uv"),
        Cause::UnknownPackage,
        "The index knows no package `torchsort-no-such-package-xyz`",
        "Correct it in `requires`",
        "was not found in the package registry",
    );
    FETCH.tells(
        log!("unknown-package-pip"),
        Cause::UnknownPackage,
        "The index knows no package `torchsort-no-such-package-xyz`",
        "Correct it in `requires`",
        "No matching distribution",
    );
    FETCH.tells(
        log!("unknown-version-uv"),
        Cause::UnknownPackage,
        "The index has no `torchsort==9.9.9`",
        "Correct it in `requires`",
        "there is no version of torchsort==9.9.9",
    );
    FETCH.tells(
        log!("unknown-version-pip"),
        Cause::UnknownPackage,
        "The index has no `torchsort==9.9.9`",
        "Correct it in `requires`",
        "No matching distribution",
    );
}

#[test]
fn requirements_that_contradict_each_other_are_quoted() {
    FETCH.tells(
        log!("unsolvable-uv"),
        Cause::Unsolvable,
        "xformers==0.0.28 depends on torch==2.4.1 and you require torch==2.11.*",
        "`wheelmill plan tiny-kernels --cuda 13.0`",
        "No solution found",
    );
    FETCH.tells(
        log!("unsolvable-pip"),
        Cause::Unsolvable,
        "numba==0.60.0 and numpy==2.4.*",
        "`wheelmill plan tiny-kernels --cuda 13.0`",
        "numba 0.60.0 depends on numpy<2.1",
    );
    FETCH.tells(
        log!("unsolvable-python-uv"),
        Cause::Unsolvable,
        "no build of `numpy==1.19.5` for this Python",
        "--python",
        "has no usable wheels",
    );
}

#[test]
fn a_download_with_another_hash_is_named() {
    for log in [log!("hash-mismatch-uv"), log!("hash-mismatch-pip")] {
        FETCH.tells(
            log,
            Cause::HashMismatch,
            "`tqdm==4.67.1` is not what was promised",
            "--refresh`",
            "26445eca388f82e72884e0d580d5464cd801a3ea01e63e5601bdff9ba6a48de2",
        );
    }
}

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
        COMPILE.tells(log, Cause::CompileError, message, "`wheelmill plan tiny-kernels`", line);
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
        "`wheelmill plan tiny-kernels`",
        "noisy.cpp:4:27: error: ‘not_declared’",
    );
    COMPILE.tells(
        log!("harmless-probes-then-error"),
        Cause::CompileError,
        "at `/build/src/probe.cpp:1`: ‘missing_probe’ was not declared",
        "`wheelmill plan tiny-kernels`",
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

    let failure = COMPILE.diagnose("");
    assert_eq!(failure.cause, Cause::BuildFailed);
    assert!(failure.message.contains("exit code 1") && !failure.fixes.is_empty());
}
