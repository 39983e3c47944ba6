//! Judges what a build left: exactly one wheel, good by its files.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::EngineError;
use wheelmill_model::Version;
use wheelmill_recipe::{Cell, Recipe};
use wheelmill_wheel::{Expectation, InspectOptions, NotChecked, Verdict, WheelError};

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
    #[error("could not start the container that tries the wheel")]
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

/// What a wheel's own files say about it, and what its metadata requires.
pub(super) fn static_verdict(
    wheel: &Utf8Path,
    cell: &Cell,
    version: Option<&Version>,
    recipe: &Recipe,
) -> Result<(Verdict, Vec<String>), JudgeError> {
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
    let verdict = wheelmill_wheel::verify(&inspection, &expectation);
    Ok((verdict, inspection.metadata.requires_dist))
}

/// A check that nobody could make.
pub(super) fn not_checked(what: &str, why: impl Into<String>) -> NotChecked {
    NotChecked { what: what.to_owned(), why: why.into() }
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
