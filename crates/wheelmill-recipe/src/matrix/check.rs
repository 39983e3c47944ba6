//! Checks of `together`, `exclude` and `include` while their positions are known.

use std::fmt::Display;

use toml::Spanned;

use crate::RecipeError;
use crate::document::Document;
use crate::suggest::list_words;
use crate::written::{Combination, MatrixTable};

/// Refuses combinations that cannot mean anything: empty ones, couples that name different axes,
/// values that no axis has.
pub(crate) fn check_combinations(
    document: &Document,
    matrix: &MatrixTable,
) -> Result<(), RecipeError> {
    let lists = [
        ("together", &matrix.together),
        ("exclude", &matrix.exclude),
        ("include", &matrix.include),
    ];
    for (list, entries) in lists {
        for entry in entries {
            if axes(entry.get_ref()).is_empty() {
                return Err(document.combination(
                    entry.span(),
                    format!("an entry of `{list}` names no axis"),
                    "this entry",
                    "write values of axes: `{ cuda = \"13.0\", torch = \"2.11\" }`",
                ));
            }
        }
    }
    check_together(document, matrix)?;
    for entry in &matrix.together {
        check_values(document, matrix, entry, "together", &[])?;
    }
    for entry in &matrix.exclude {
        check_values(document, matrix, entry, "exclude", &[&matrix.together, &matrix.include])?;
    }
    Ok(())
}

fn check_together(document: &Document, matrix: &MatrixTable) -> Result<(), RecipeError> {
    let Some(first) = matrix.together.first() else { return Ok(()) };
    let wanted = axes(first.get_ref());
    if wanted.len() < 2 {
        return Err(document.combination(
            first.span(),
            "an entry of `together` couples at least two axes",
            "this names one",
            format!("add another axis, or list the values of the axis: `{} = […]`", wanted[0]),
        ));
    }
    match matrix.together.iter().find(|entry| axes(entry.get_ref()) != wanted) {
        Some(other) => Err(document.combination(
            other.span(),
            format!("every entry of `together` names the same axes, here {}", list_words(&wanted)),
            format!("this names {}", list_words(&axes(other.get_ref()))),
            "add what is missing; single combinations go into `include`",
        )),
        None => Ok(()),
    }
}

/// Refuses a value that the axis, when it is listed, does not have.
fn check_values(
    document: &Document,
    matrix: &MatrixTable,
    entry: &Spanned<Combination>,
    list: &str,
    others: &[&Vec<Spanned<Combination>>],
) -> Result<(), RecipeError> {
    let check = Check { document, entry, list };
    let Combination { cuda, torch, python, version } = entry.get_ref();
    let elsewhere = || others.iter().copied().flatten().map(Spanned::get_ref);
    check.value("cuda", cuda, &matrix.cuda, elsewhere().filter_map(|other| other.cuda.as_ref()))?;
    check.value(
        "torch",
        torch,
        &matrix.torch,
        elsewhere().filter_map(|other| other.torch.as_ref()),
    )?;
    check.value(
        "python",
        python,
        &matrix.python,
        elsewhere().filter_map(|other| other.python.as_ref()),
    )?;
    check.value(
        "version",
        version,
        &matrix.version,
        elsewhere().filter_map(|other| other.version.as_ref()),
    )
}

struct Check<'a> {
    document: &'a Document,
    entry: &'a Spanned<Combination>,
    list: &'a str,
}

impl Check<'_> {
    fn value<'a, T: PartialEq + Display + 'a>(
        &self,
        axis: &str,
        value: &Option<T>,
        listed: &Option<Vec<T>>,
        mut elsewhere: impl Iterator<Item = &'a T>,
    ) -> Result<(), RecipeError> {
        let (Some(value), Some(listed)) = (value, listed) else { return Ok(()) };
        if listed.is_empty() || listed.contains(value) || elsewhere.any(|other| other == value) {
            return Ok(());
        }
        Err(self.document.combination(
            self.entry.span(),
            format!("`{}` names `{axis} = \"{value}\"`, which the axis does not have", self.list),
            "this entry",
            format!("`{axis}` has {}; add the value there, or correct it", list_words(listed)),
        ))
    }
}

/// The axes that a combination names.
fn axes(combination: &Combination) -> Vec<&'static str> {
    [
        ("cuda", combination.cuda.is_some()),
        ("torch", combination.torch.is_some()),
        ("python", combination.python.is_some()),
        ("version", combination.version.is_some()),
    ]
    .into_iter()
    .filter_map(|(axis, named)| named.then_some(axis))
    .collect()
}
