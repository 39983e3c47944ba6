//! Programs that the build starts and does not find.

use super::account::Account;
use super::case::Case;
use super::compiler;
use super::failure::Cause;
use super::rule::{Rule, Sign, always, compiling};
use super::text::{between, word_after};

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::MissingTool,
        when: compiling,
        parallel: false,
        signs: &[
            Sign::Has(&["nvcc not found at '"]),
            Sign::Has(&["CUDA_HOME environment variable is not set"]),
            Sign::Has(&["No CMAKE_CUDA_COMPILER could be found"]),
            Sign::Has(&["Failed to find nvcc"]),
            Sign::Starts(&["Could NOT find CUDAToolkit"]),
            Sign::Starts(&["Could NOT find CUDA (missing"]),
            Sign::Has(&["nvcc: not found"]),
            Sign::Has(&["nvcc: command not found"]),
            Sign::Has(&["No such file or directory: '", "nvcc'"]),
            Sign::Has(&["Specify CUDA_TOOLKIT_ROOT_DIR"]),
        ],
        account: nvcc,
    },
    Rule {
        cause: Cause::MissingTool,
        when: compiling,
        parallel: true,
        signs: &[
            Sign::Has(&["installed version of ", "(0.0.0) is less than the minimum"]),
            Sign::Has(&["No CMAKE_CXX_COMPILER could be found"]),
            Sign::Has(&["No CMAKE_C_COMPILER could be found"]),
            Sign::Has(&["CMAKE_CXX_COMPILER not set"]),
            Sign::Has(&["CMAKE_C_COMPILER not set"]),
            Sign::Has(&["cannot execute 'cc1plus'"]),
            Sign::Has(&["cannot execute ‘cc1plus’"]),
            // nvcc looks for the host compiler.
            Sign::Starts(&["gcc: No such file or directory"]),
            Sign::Starts(&["g++: No such file or directory"]),
            Sign::Has(&["Cannot find compiler '", "' in PATH"]),
        ],
        account: |case, _| Some(program(case, "g++")),
    },
    Rule {
        cause: Cause::MissingTool,
        when: always,
        parallel: true,
        signs: &[
            Sign::Has(&["error: command '", "' failed: No such file or directory"]),
            Sign::Has(&["unable to execute '", "': No such file or directory"]),
            Sign::Starts(&["FileNotFoundError: [Errno 2] No such file or directory: '"]),
            // distutils prints what it catches in this way.
            Sign::Starts(&["error: [Errno 2] No such file or directory: '"]),
            Sign::Has(&[": command not found"]),
            // A shell names itself, or its script, and the line.
            Sign::Has(&["sh: ", ": not found"]),
            Sign::Starts(&["build: ", ": not found"]),
            Sign::Starts(&["gate: ", ": not found"]),
            Sign::Has(&["make: ", ": No such file or directory"]),
            Sign::Has(&["env: ", ": No such file or directory"]),
            Sign::Has(&["Git executable not found"]),
            Sign::Has(&["Ninja is required to load C++ extensions"]),
            Sign::Has(&["CMake must be installed"]),
            Sign::Has(&["CMake was unable to find a build program corresponding to \"Ninja\""]),
        ],
        account: named,
    },
];

/// Where a program comes from.
enum Provider {
    /// A build requirement, by its name on the package index.
    Requirement(&'static str),
    /// A system package, by the name that recipes give it.
    System(&'static str),
}

const PROVIDERS: &[(&str, Provider)] = &[
    ("g++", Provider::System("c++")),
    ("gcc", Provider::System("c++")),
    ("c++", Provider::System("c++")),
    ("cc", Provider::System("c++")),
    ("make", Provider::System("make")),
    ("ld", Provider::System("c++")),
    ("git", Provider::System("git")),
    ("pkg-config", Provider::System("pkg-config")),
    ("patch", Provider::System("patch")),
    ("cmake", Provider::Requirement("cmake")),
    ("ninja", Provider::Requirement("ninja")),
    ("swig", Provider::Requirement("swig")),
    ("cython", Provider::Requirement("cython")),
    ("meson", Provider::Requirement("meson")),
];

fn nvcc(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let looked = between(line, "not found at '", "'")
        .map(|path| format!(" at `{path}`"))
        .unwrap_or_default();
    Some(
        Account::new(format!("The build does not find the CUDA compiler nvcc{looked}."))
            .fix(format!(
                "Take `CUDA_HOME`, `CUDACXX` and `PATH` out of `environment` in {}: the cell's toolkit \
                 names itself to the build",
                case.table("build")
            ))
            .fix_some(
                compiler::in_image(case)
                    .map(|command| format!("Build in an image that has it: {command}")),
            ),
    )
}

fn named(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let name = places.iter().rev().find_map(|&place| missing_program(case.line(place)))?;
    Some(program(case, name))
}

/// The name of the program that a line misses. `None` when it misses a file that is no program.
fn missing_program(line: &str) -> Option<&str> {
    if line.contains("Git executable") {
        return Some("git");
    }
    if line.contains("Ninja") {
        return Some("ninja");
    }
    if line.contains("CMake must") {
        return Some("cmake");
    }
    let path = between(line, "error: command '", "' failed")
        .or_else(|| between(line, "unable to execute '", "'"))
        .or_else(|| between(line, "No such file or directory: '", "'"))
        .or_else(|| before(line, ": command not found"))
        .or_else(|| before(line, ": not found"))
        .or_else(|| word_after(line, "make: "))
        .or_else(|| word_after(line, "env: "))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name
        .strip_prefix("x86_64-linux-gnu-")
        .or_else(|| name.strip_prefix("aarch64-linux-gnu-"))
        .unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_".contains(&byte);
    // `setup.cfg`, `/build/src/VERSION`: files that a build reads have a dot, or a path of their own.
    let program = path.starts_with("/usr/") || path.starts_with("/bin/") || !path.contains('/');
    let known = PROVIDERS.iter().any(|(known, _)| *known == name);
    let file = name.bytes().any(|byte| byte.is_ascii_uppercase());
    (known || program && !file && !name.is_empty() && name.bytes().all(plain)).then_some(name)
}

fn before<'a>(line: &'a str, what: &str) -> Option<&'a str> {
    let (before, _) = line.split_once(what)?;
    before.rsplit([' ', ':']).next()
}

fn program(case: &Case<'_>, name: &str) -> Account {
    let provider = PROVIDERS.iter().find(|(known, _)| *known == name).map(|(_, provider)| provider);
    let table = case.table("build");
    let fix = match provider {
        Some(Provider::Requirement(requirement)) => {
            format!("Add `\"{requirement}\"` to `requires` in {table}; then {}", case.again(""))
        }
        Some(Provider::System(package)) => {
            format!("Add `\"{package}\"` to `system-packages` in {table}; then {}", case.again(""))
        }
        None => format!(
            "Add the package that holds it to `system-packages` in {table}; then {}",
            case.again("")
        ),
    };
    Account::new(format!("The build starts the program `{name}`, and it is not there.")).fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_no_missing_program() {
        let missing = |path: &str| {
            let line = format!("FileNotFoundError: [Errno 2] No such file or directory: '{path}'");
            missing_program(&line).map(ToOwned::to_owned)
        };
        assert_eq!(missing("git").as_deref(), Some("git"));
        assert_eq!(missing("/usr/bin/hipcc").as_deref(), Some("hipcc"));
        assert_eq!(missing("requirements.txt"), None);
        assert_eq!(missing("VERSION"), None);
        assert_eq!(missing("csrc/generated"), None);
    }
}
