//! Judges what a build left: exactly one wheel, good by its files.

use camino::{Utf8Path, Utf8PathBuf};
use wheelmill_engine::EngineError;
use wheelmill_model::Version;
use wheelmill_recipe::{Cell, Recipe};
use wheelmill_wheel::{
    EnvironmentError, InspectOptions, Inspection, NotChecked, WheelError, Wishes,
};

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
    #[error("could not look at the environment that the wheel is tried in")]
    Beside(#[source] EnvironmentError),
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

/// What a wheel is, by its own files.
pub(super) fn inspect(wheel: &Utf8Path) -> Result<Inspection, JudgeError> {
    let scratch = wheel.parent().map(Utf8Path::to_owned);
    let options = InspectOptions { scratch, ..InspectOptions::default() };
    wheelmill_wheel::inspect(wheel, &options).map_err(JudgeError::Wheel)
}

/// What a cell wants of its wheel.
pub(super) fn wishes(cell: &Cell, version: Option<&Version>, recipe: &Recipe) -> Wishes {
    Wishes {
        name: Some(recipe.name.clone()),
        version: version.cloned(),
        python: Some(cell.python),
        device_code: recipe.build.cuda,
        architectures: Some(cell.architectures.clone()),
        modules: recipe.test.modules.clone(),
        cuda: Some(cell.cuda).filter(|_| recipe.build.cuda),
        torch: cell.torch.filter(|_| recipe.build.torch),
        elsewhere: recipe.wheel.exclude.clone(),
        ..Wishes::default()
    }
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
