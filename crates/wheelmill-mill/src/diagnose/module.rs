//! Python modules that the build imports and does not find: torch, and all others.

use super::account::Account;
use super::case::Case;
use super::failure::Cause;
use super::rule::{Rule, Sign, always, compiling};
use super::text::between;

pub(super) const RULES: &[Rule] = &[
    Rule {
        cause: Cause::MissingTorch,
        when: always,
        parallel: false,
        signs: &[
            Sign::Starts(&["ModuleNotFoundError: No module named 'torch'"]),
            Sign::Starts(&["ModuleNotFoundError: No module named 'torch."]),
            Sign::Starts(&["ImportError: No module named torch"]),
            Sign::Has(&["a package configuration file provided by \"Torch\""]),
        ],
        account: torch,
    },
    Rule {
        cause: Cause::MissingModule,
        when: compiling,
        parallel: false,
        signs: &[
            Sign::Starts(&["ModuleNotFoundError: No module named '"]),
            Sign::Has(&[": No module named "]),
            Sign::Starts(&["BackendUnavailable: Cannot import '"]),
            Sign::Has(&["a package configuration file provided by \"pybind11\""]),
            Sign::Has(&["a package configuration file provided by \"nanobind\""]),
        ],
        account: module,
    },
];

/// Modules whose distribution has another name on the index.
const DISTRIBUTIONS: &[(&str, &str)] = &[
    ("pkg_resources", "setuptools<81"),
    ("distutils", "setuptools"),
    ("skbuild", "scikit-build"),
    ("scikit_build_core", "scikit-build-core"),
    ("mesonpy", "meson-python"),
    ("poetry", "poetry-core"),
    ("flit_core", "flit-core"),
    ("setuptools_scm", "setuptools-scm"),
    ("hatchling", "hatchling"),
    ("Cython", "cython"),
    ("yaml", "pyyaml"),
    ("cv2", "opencv-python-headless"),
    ("git", "gitpython"),
    ("dateutil", "python-dateutil"),
    ("sklearn", "scikit-learn"),
    ("PIL", "pillow"),
    ("jinja2", "jinja2"),
    ("torch_sparse", "torch-sparse"),
    ("torch_scatter", "torch-scatter"),
];

fn torch(case: &Case<'_>, _: &[usize]) -> Option<Account> {
    let build = case.table("build");
    Some(match case.evidence.torch {
        None => Account::new("The build imports torch, and the build environment has none.").fix(
            format!(
                "Say in the recipe that it needs torch, `torch = true` in {build}; then {}",
                case.again("")
            ),
        ),
        Some(torch) => Account::new(format!(
            "The build imports torch and does not see the environment's torch {torch}: something \
             in it makes an environment of its own, or runs another Python."
        ))
        .fix(format!(
            "Let `command` and `script` in {build} build without isolation: `pip wheel . \
             --no-deps --no-build-isolation`"
        ))
        .fix(format!("Or leave `command` and `script` out; then {}", case.again(""))),
    })
}

fn module(case: &Case<'_>, places: &[usize]) -> Option<Account> {
    let line = case.line(*places.last()?);
    let name = between(line, "No module named '", "'")
        .or_else(|| between(line, "Cannot import '", "'"))
        .or_else(|| between(line, "provided by \"", "\""))
        .or_else(|| line.split_once("No module named ").map(|(_, name)| name.trim()))?;
    let top = name.split('.').next()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if top.is_empty() || !top.bytes().all(plain) {
        return None;
    }
    // A package that imports itself while it is built wants its own build requirements, or an
    // order that nobody can guess.
    let own = top.eq_ignore_ascii_case(&case.evidence.package.as_file_stem());
    let account =
        Account::new(format!("The build needs the Python module `{name}`, and it is not there."));
    if own {
        return Some(account.fix(format!(
            "The package imports itself while it is built; say where its source lies: `subdirectory = \"…\"` in {}",
            case.table("source")
        )));
    }
    let distribution = DISTRIBUTIONS
        .iter()
        .find(|(module, _)| *module == top)
        .map_or_else(|| top.replace('_', "-"), |(_, distribution)| (*distribution).to_owned());
    Some(account.fix(format!(
        "Add `\"{distribution}\"` to `requires` in {}; then {}",
        case.table("build"),
        case.again("")
    )))
}
