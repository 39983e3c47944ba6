//! Headers and libraries that the compiler, the linker or the loader does not find.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, compiling};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::MissingTool,
        when: compiling,
        parallel: true,
        signs: &[
            Sign::Has(&["fatal error: ", ": No such file or directory"]),
            Sign::Has(&["fatal error: '", "' file not found"]),
            Sign::Has(&["error: cannot open source file \""]),
        ],
        account: header,
    },
    Rule {
        cause: Cause::MissingTool,
        when: compiling,
        parallel: false,
        signs: &[Sign::Has(&["cannot find -l"]), Sign::Has(&["unable to find library -l"])],
        account: linked,
    },
    Rule {
        cause: Cause::MissingTool,
        when: compiling,
        parallel: false,
        signs: &[Sign::Has(&["Error: ", ": cannot open shared object file"])],
        account: loaded,
    },
    Rule {
        // CMake indents what is fatal, and marks with dashes what is not.
        cause: Cause::MissingTool,
        when: compiling,
        parallel: false,
        signs: &[
            Sign::Has(&["a package configuration file provided by \""]),
            Sign::Starts(&["Could NOT find ", " (missing: "]),
        ],
        account: configured,
    },
];

/// Where a header or library comes from.
#[derive(Clone, Copy)]
enum Provider {
    /// A part of the CUDA toolkit, as recipes name it.
    Cuda(&'static str),
    /// A system package, as recipes name it.
    System(&'static str),
    /// A build requirement.
    Requirement(&'static str),
    /// torch itself.
    Torch,
    /// A submodule of the source.
    Submodule,
}

/// Beginnings of headers' and libraries' names, longer ones before their own beginnings.
const PROVIDERS: &[(&str, Provider)] = &[
    ("Python.h", Provider::System("python-headers")),
    ("pyconfig.h", Provider::System("python-headers")),
    ("cublas", Provider::Cuda("cublas")),
    ("curand", Provider::Cuda("curand")),
    ("cusparse", Provider::Cuda("cusparse")),
    ("cusolver", Provider::Cuda("cusolver")),
    ("cufft", Provider::Cuda("cufft")),
    ("cufile", Provider::Cuda("cufile")),
    ("cupti", Provider::Cuda("cupti")),
    ("nvrtc", Provider::Cuda("nvrtc")),
    ("nvJitLink", Provider::Cuda("nvjitlink")),
    ("nvjpeg", Provider::Cuda("nvjpeg")),
    ("npp", Provider::Cuda("npp")),
    ("nvml", Provider::Cuda("nvml")),
    ("nvtx", Provider::Cuda("nvtx")),
    ("nvToolsExt", Provider::Cuda("nvtx")),
    ("cuda_profiler_api", Provider::Cuda("profiler")),
    ("cudaProfiler", Provider::Cuda("profiler")),
    ("thrust/", Provider::Cuda("cccl")),
    ("cub/", Provider::Cuda("cccl")),
    ("cuda/std/", Provider::Cuda("cccl")),
    ("cuda_runtime", Provider::Cuda("cudart")),
    ("cudart", Provider::Cuda("cudart")),
    ("torch/", Provider::Torch),
    ("ATen/", Provider::Torch),
    ("c10/", Provider::Torch),
    ("pybind11/", Provider::Requirement("pybind11")),
    ("nanobind/", Provider::Requirement("nanobind")),
    ("numpy/", Provider::Requirement("numpy")),
    ("cutlass/", Provider::Submodule),
    ("cute/", Provider::Submodule),
    ("zlib", Provider::System("zlib")),
    ("jpeg", Provider::System("libjpeg")),
    ("png", Provider::System("libpng")),
    ("numa", Provider::System("numactl")),
    ("webp", Provider::System("libwebp")),
    ("cblas", Provider::System("openblas")),
    ("openblas", Provider::System("openblas")),
];

fn header(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.first()?);
    let name = between(line, "fatal error: '", "' file not found")
        .or_else(|| between(line, "fatal error: ", ": No such file"))
        .or_else(|| between(line, "cannot open source file \"", "\""))?;
    let account = Account::new(format!("The header `{name}` is not there."));
    Some(provide(case, account, name))
}

fn linked(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let name = word_after(case.line(*places.first()?), " -l")?;
    let account = Account::new(format!("The linker does not find the library `lib{name}`."));
    Some(provide(case, account, name))
}

fn loaded(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let (before, _) = line.split_once(": cannot open shared object file")?;
    let file = before.rsplit(' ').next()?;
    let account = Account::new(format!(
        "A program of the build needs the library `{file}`, and it is not there."
    ));
    Some(provide(case, account, file.strip_prefix("lib").unwrap_or(file)))
}

fn configured(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let name = between(line, "provided by \"", "\"")
        .or_else(|| between(line, "Could NOT find ", " (missing: "))?;
    let account = Account::new(format!("CMake does not find the library `{name}`."));
    Some(provide(case, account, &name.to_ascii_lowercase()))
}

fn provide(case: &Case<'_>, account: Account, name: &str) -> Account {
    let provider =
        PROVIDERS.iter().find(|(start, _)| name.starts_with(start)).map(|&(_, provider)| provider);
    let build = case.table("build");
    let then = case.again("");
    account.fix(match provider {
        Some(Provider::Cuda(part)) => {
            format!("Add `\"{part}\"` to `cuda-libraries` in {build}; then {then}")
        }
        Some(Provider::System(package)) => {
            format!("Add `\"{package}\"` to `system-packages` in {build}; then {then}")
        }
        Some(Provider::Requirement(requirement)) => {
            format!("Add `\"{requirement}\"` to `requires` in {build}; then {then}")
        }
        Some(Provider::Torch) => {
            format!("Say that the build needs torch, `torch = true` in {build}; then {then}")
        }
        Some(Provider::Submodule) => {
            format!("It is mostly a submodule of the source: {}", case.complete_source())
        }
        None => {
            format!("Add the package that holds it to `system-packages` in {build}; then {then}")
        }
    })
}
