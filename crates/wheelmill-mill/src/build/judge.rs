//! Judges what a build left: exactly one wheel, good by its files, and importable.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::{
    Cancel, Container, Engine, EngineError, Exit, Limits, OutputSink, Prepared,
};
use wheelmill_model::Version;
use wheelmill_recipe::{Cell, Recipe};
use wheelmill_wheel::{Expectation, InspectOptions, NotChecked, Verdict, WheelError};

use super::compile::{mount, toolchain_variables};
use crate::environment::paths;

/// Why there is no wheel to judge, or no verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum JudgeError {
    #[error("the build ended well and left no wheel")]
    NoWheel,
    #[error("the build left {} wheels: {}", .0.len(), .0.join(", "))]
    SeveralWheels(Vec<String>),
    #[error("the folder with the wheel could not be read")]
    Read(#[source] std::io::Error),
    #[error("the wheel could not be read")]
    Wheel(#[source] WheelError),
    #[error("`{wheel}` cannot be read")]
    Unreadable { wheel: Utf8PathBuf, source: WheelError },
    #[error("could not start the container for the import test")]
    Engine(#[source] EngineError),
}

/// The one wheel in a folder.
pub(super) fn only_wheel(folder: &Utf8Path) -> Result<Utf8PathBuf, JudgeError> {
    let mut wheels: Vec<Utf8PathBuf> = folder
        .read_dir_utf8()
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(JudgeError::Read)?
        .into_iter()
        .map(|entry| entry.path().to_owned())
        .filter(|path| path.extension() == Some("whl"))
        .collect();
    wheels.sort();
    match wheels.len() {
        0 => Err(JudgeError::NoWheel),
        1 => Ok(wheels.remove(0)),
        _ => Err(JudgeError::SeveralWheels(
            wheels.iter().filter_map(|path| path.file_name()).map(str::to_owned).collect(),
        )),
    }
}

/// What a wheel's own files say about it, and whether it declares any dependency.
pub(super) fn static_verdict(
    wheel: &Utf8Path,
    cell: &Cell,
    version: Option<&Version>,
    recipe: &Recipe,
) -> Result<(Verdict, bool), JudgeError> {
    let scratch = wheel.parent().map(Utf8Path::to_owned);
    let options = InspectOptions { scratch, ..InspectOptions::default() };
    let inspection = wheelmill_wheel::inspect(wheel, &options).map_err(JudgeError::Wheel)?;
    let expectation = Expectation {
        name: recipe.name.clone(),
        version: version.cloned(),
        python: cell.python,
        device_code: recipe.build.cuda,
        architectures: cell.architectures.clone(),
        modules: recipe.test.modules.clone(),
    };
    let declares = !inspection.metadata.requires_dist.is_empty();
    Ok((wheelmill_wheel::verify(&inspection, &expectation), declares))
}

/// What it means for its users that a wheel needs a module that its build did not. `line` is what
/// the test said of it.
pub(super) fn missing(line: Option<&str>, declared: bool) -> NotChecked {
    let module = line.and_then(|line| line.rsplit_once("the module ")).map(|(_, name)| name.trim());
    let module = module.map_or_else(|| "a module".to_owned(), |name| format!("`{name}`"));
    let declaration = match declared {
        true => "; see that its metadata names it (Requires-Dist)",
        false => {
            "; its metadata names no dependency at all (Requires-Dist), so its users will get an ImportError"
        }
    };
    let why = format!("it imports {module}, which is not in the build environment{declaration}");
    NotChecked { what: "import".to_owned(), why }
}

/// What no check of ours can tell: whether the kernels compute what they should.
pub(super) fn not_run_on_a_gpu() -> NotChecked {
    let why = "this version of wheelmill runs no test on a GPU".to_owned();
    NotChecked { what: "run on a GPU".to_owned(), why }
}

/// What to run the import test with.
pub(super) struct ImportTest<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) prepared: &'a Prepared,
    pub(super) uv: &'a Utf8Path,
    pub(super) wheel: &'a Utf8Path,
    pub(super) modules: &'a [String],
    pub(super) limits: Limits,
}

/// How the import test came out.
pub(super) enum Imported {
    /// Every module was imported.
    Good,
    /// It could not be tried.
    NotChecked(NotChecked),
    /// It needs a module that is not in the build environment; the log names it.
    Missing,
    /// A module cannot be imported; the log says why.
    Failed(Box<Exit>),
}

/// A code of our own: the wheel is not at fault.
const MISSING_DEPENDENCY: i32 = 97;

const IMPORT: &str = r#"
/build/tools/uv pip install --quiet --offline --no-cache --no-deps --target /tmp/wheel --python /opt/wheelmill/env/bin/python "$WHEEL"
cd /tmp
PYTHONPATH=/tmp/wheel exec /opt/wheelmill/env/bin/python - "$@" <<'END'
import importlib, os, sys
try:
    import torch
except ModuleNotFoundError:
    pass
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        top = (error.name or "").split(".")[0]
        inside = os.path.exists(f"/tmp/wheel/{top}") or top == name.split(".")[0]
        if inside:
            raise
        print(f"wheelmill: importing {name} needs the module {error.name}", file=sys.stderr)
        sys.exit(97)
    print(f"wheelmill: imported {name}")
END
"#;

/// Imports the recipe's modules from the finished wheel, beside the torch that it was built with.
pub(super) fn import(
    test: &ImportTest<'_>,
    output: &mut dyn OutputSink,
    cancel: &Cancel,
) -> Result<Imported, JudgeError> {
    let not_checked = |why: &str| {
        Imported::NotChecked(NotChecked { what: "import".to_owned(), why: why.to_owned() })
    };
    if test.modules.is_empty() {
        return Ok(not_checked("the recipe names no module to import"));
    }
    let name = test.wheel.file_name().unwrap_or_default();
    let target = format!("/build/wheel/{name}");
    let mut environment = toolchain_variables(&test.prepared.environment);
    environment.push(("WHEEL".to_owned(), target.clone()));
    let mut command = ["sh", "-euc", IMPORT, "import"].map(str::to_owned).to_vec();
    command.extend(test.modules.iter().cloned());
    let container = Container {
        name: "import".to_owned(),
        command,
        environment,
        directory: "/".into(),
        mounts: vec![mount(test.wheel, &target, false), mount(test.uv, paths::UV, false)],
        limits: test.limits,
        ..Container::default()
    };
    let exit =
        test.engine.run(test.prepared, &container, output, cancel).map_err(JudgeError::Engine)?;
    match exit.code {
        _ if exit.cancelled => Err(JudgeError::Engine(EngineError::Cancelled)),
        0 => Ok(Imported::Good),
        MISSING_DEPENDENCY => Ok(Imported::Missing),
        _ => Ok(Imported::Failed(Box::new(exit))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_must_leave_exactly_one_wheel() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::write(path.join("notes.txt"), "").unwrap();
        assert!(matches!(only_wheel(path), Err(JudgeError::NoWheel)));
        fs_err::write(path.join("a-1-py3-none-any.whl"), "").unwrap();
        assert_eq!(only_wheel(path).unwrap(), path.join("a-1-py3-none-any.whl"));
        fs_err::write(path.join("b-1-py3-none-any.whl"), "").unwrap();
        let error = only_wheel(path).unwrap_err().to_string();
        assert!(error.contains("a-1-py3-none-any.whl, b-1"), "{error}");
    }
}
