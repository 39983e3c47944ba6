//! "Did you mean": the nearest of the known names.

use std::fmt::Display;

/// The known name nearest to what was written, when it is near enough to be meant: a slip or two
/// away, or the only one that starts like it.
pub(crate) fn closest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let start = normal(written);
    let longer = || {
        let mut longer = known.iter().filter(|name| name.starts_with(&start));
        longer.next().filter(|_| start.len() >= 4 && longer.next().is_none()).copied()
    };
    let near = ranked(written, known.iter().copied()).first().map(|(_, name)| *name);
    near.or_else(longer)
}

/// Up to three known names near to what was written, or that contain it, nearest first.
pub(crate) fn near<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let mut names: Vec<&str> =
        ranked(written, known.iter().copied()).into_iter().map(|(_, name)| name).collect();
    let part = normal(written);
    for name in known {
        if part.len() >= 3 && name.contains(&part) && !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().take(3).map(str::to_owned).collect()
}

/// The known names within a slip or two of what was written, with their distance.
fn ranked<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
    let written = normal(written);
    let limit = (written.chars().count() / 3).max(1);
    let mut ranked: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &normal(name)), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    ranked
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.', ' '], "-")
}

/// "`a`, `b` and `c`".
pub(crate) fn list_words<T: Display>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    list(&quoted)
}

/// "a, b and c".
pub(crate) fn list<T: Display>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [only] => only.to_string(),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(ToString::to_string).collect();
            format!("{} and {last}", others.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let keys = ["environment", "conda-env", "command", "outputs"];
        assert_eq!(closest("envrionment", keys), Some("environment"));
        assert_eq!(closest("conda_env", keys), Some("conda-env"));
        assert_eq!(closest("output", keys), Some("outputs"));
        assert_eq!(closest("envir", keys), Some("environment"));
        assert_eq!(closest("colour", keys), None);
        assert_eq!(closest("x", keys), None);
    }

    #[test]
    fn a_part_of_a_name_finds_it_too() {
        let names = ["flash-attn", "torch-scatter", "torch-sparse", "torchsort"];
        assert_eq!(near("scatter", names), ["torch-scatter"]);
        assert_eq!(near("torchsrot", names), ["torchsort"]);
        assert_eq!(near("to", names), Vec::<String>::new());
    }

    #[test]
    fn words_are_listed_as_prose() {
        assert_eq!(list_words(&["a"]), "`a`");
        assert_eq!(list_words(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
