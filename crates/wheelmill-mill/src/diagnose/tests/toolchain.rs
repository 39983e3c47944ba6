//! The toolchain's part: CUDA, compilers, what is missing in the environment.

use wheelmill_model::CudaVersion;

use super::super::Cause;
use super::{COMPILE, Setting};

#[test]
fn the_toolkit_must_be_of_torchs_release_and_of_one_release() {
    Setting { cuda: CudaVersion::new(11, 8), ..COMPILE }.tells(
        log!("cuda-torch-mismatch"),
        Cause::CudaTorchMismatch,
        "found a CUDA 11.8 toolkit, and torch 2.11 was built with CUDA 13.0",
        "`wheelmill build tiny-kernels --cuda 13.0 --torch 2.11 --python 3.11`",
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
        "nvcc of CUDA 13.0 does not compile for `compute_60`: 12.9 was the last release that did",
        "`wheelmill build tiny-kernels --cuda 13.0 --torch 2.11 --python 3.11 --arch all-major`",
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
        "does not compile for `sm_120`: 12.8 is the first release that does",
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
    Setting { torch: None, ..COMPILE }.tells(
        log!("missing-torch-cmake"),
        Cause::MissingTorch,
        "imports torch, and the build environment has none",
        "`torch = true`",
        "provided by \"Torch\"",
    );
    COMPILE.tells(
        log!("missing-module-cmake"),
        Cause::MissingModule,
        "the Python module `pybind11`",
        "Add `\"pybind11\"` to `requires`",
        "provided by \"pybind11\"",
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
    missing(log!("missing-tool-nvcc-gcc"), "`g++`", "Add `\"c++\"`", "gcc: No such file");
    missing(
        log!("missing-tool-cmake-library"),
        "CMake does not find the library `Protobuf`",
        "`system-packages`",
        "Could NOT find Protobuf",
    );
    missing(log!("missing-tool-cmake-gcc"), "`g++`", "Add `\"c++\"`", "CMAKE_CXX_COMPILER");
    missing(log!("missing-tool-distutils-gcc"), "`g++`", "Add `\"c++\"`", "command 'g++' failed");
    let package = "Add the package that holds it to `system-packages`";
    missing(log!("missing-tool-distutils-program"), "program `gperf`", package, "'gperf'");
    for line in ["build: 1: make-it: not found", "/bin/sh: 1: make-it: not found"] {
        missing(line, "program `make-it`", package, "make-it");
    }
    missing(log!("missing-tool-make"), "`make`", "Add `\"make\"`", "'make'");
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
        "Add `\"numactl\"` to `system-packages`",
        "cannot find -lnuma_missing",
    );
}
