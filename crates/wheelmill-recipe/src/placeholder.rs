//! `{cuda}` and the other words in braces that stand for facts of a cell.
//!
//! Lower-case letters and underscores between braces are a placeholder; every other brace is
//! itself, so that shell and JSON texts need no care. `{{cuda}}` gives the text `{cuda}`.

use camino::Utf8Path;

use crate::Cell;
use crate::suggest::{closest, list_words};

/// A placeholder and what it stands for.
pub(crate) type Placeholder = (&'static str, &'static str);

/// The placeholders of environment variables, requirements, labels and commands.
pub(crate) const CELL: &[Placeholder] = &[
    ("cuda", "the CUDA release, `13.0`"),
    ("cuda_major", "its first number, `13`"),
    ("cuda_minor", "its second number, `0`"),
    ("torch", "the PyTorch release, `2.11`; empty for packages without torch"),
    ("python", "the Python release, `3.11`"),
    ("version", "the version of the package, `0.1.10`"),
    ("jobs", "how many compilers may run at once, `8`"),
];

/// What commands know beside these.
pub(crate) const OUT: Placeholder = ("out", "the folder that the wheel must be written to");

/// What the template of an architecture variable knows.
pub(crate) const ARCHS: Placeholder = ("archs", "the architectures in the chosen spelling");

/// What revisions and addresses of sources know.
pub(crate) const VERSION: Placeholder = ("version", "the version of the package, `0.1.10`");

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

/// Takes a text apart.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, braces) = rest.split_at(open);
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        if let Some((name, after)) = word(&braces[1..]) {
            pieces.push(Piece::Placeholder(name));
            rest = after;
        } else if let Some((name, after)) = braces[1..].strip_prefix('{').and_then(word)
            && let Some(after) = after.strip_prefix('}')
        {
            pieces.push(Piece::Literal(&braces[1..name.len() + 3]));
            rest = after;
        } else {
            pieces.push(Piece::Literal(&braces[..1]));
            rest = &braces[1..];
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

/// A placeholder's name and what follows its closing brace.
fn word(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_once('}')?;
    let plain = !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
    plain.then_some((name, after))
}

/// The first placeholder that is none of the known, as an error's text and hint.
pub(crate) fn unknown<'a>(
    text: &str,
    known: impl IntoIterator<Item = &'a Placeholder>,
) -> Option<(String, String)> {
    let known: Vec<&str> = known.into_iter().map(|(name, _)| *name).collect();
    let wrong = pieces(text).into_iter().find_map(|piece| match piece {
        Piece::Placeholder(name) if !known.contains(&name) => Some(name),
        _ => None,
    })?;
    let hint = match closest(wrong, known.iter().copied()) {
        Some(close) => format!("did you mean `{{{close}}}`?"),
        None => {
            let words: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            format!(
                "the placeholders here are {}; braces that are meant as such are doubled: `{{{{{wrong}}}}}`",
                list_words(&words)
            )
        }
    };
    Some((format!("`{{{wrong}}}` is not a placeholder"), hint))
}

/// Replaces each placeholder by what `value` gives for it. One that it does not know stays, which
/// reading a recipe has ruled out.
pub(crate) fn replace(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut replaced = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => replaced.push_str(literal),
            Piece::Placeholder(name) => match value(name) {
                Some(value) => replaced.push_str(&value),
                None => replaced.extend(["{", name, "}"]),
            },
        }
    }
    replaced
}

/// What the placeholders of a cell stand for.
pub(crate) struct CellValues<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) jobs: usize,
    pub(crate) out: Option<&'a Utf8Path>,
}

impl CellValues<'_> {
    pub(crate) fn replace(&self, text: &str) -> String {
        replace(text, |name| self.value(name))
    }

    fn value(&self, name: &str) -> Option<String> {
        let cell = self.cell;
        Some(match name {
            "cuda" => cell.cuda.to_string(),
            "cuda_major" => cell.cuda.major.to_string(),
            "cuda_minor" => cell.cuda.minor.to_string(),
            "torch" => cell.torch.map(|torch| torch.to_string()).unwrap_or_default(),
            "python" => cell.python.to_string(),
            "version" => cell.version_text(),
            "jobs" => self.jobs.max(1).to_string(),
            "out" => self.out?.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_words_in_braces_are_placeholders() {
        let known = |name: &str| (name == "cuda").then(|| "13.0".to_owned());
        for (text, wanted) in [
            ("cu{cuda}!", "cu13.0!"),
            ("{{cuda}}", "{cuda}"),
            ("${CUDA_HOME} {} {", "${CUDA_HOME} {} {"),
            (r#"{"a": {"b": "{cuda}"}}"#, r#"{"a": {"b": "13.0"}}"#),
            ("{{{cuda}}}", "{{cuda}}"),
        ] {
            assert_eq!(replace(text, known), wanted, "{text}");
        }
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_the_nearest() {
        let (message, hint) = unknown("{cuda_maj}", CELL).unwrap();
        assert_eq!(message, "`{cuda_maj}` is not a placeholder");
        assert_eq!(hint, "did you mean `{cuda_major}`?");
        assert!(unknown("{version}{jobs} {NOT_ONE}", CELL).is_none());
    }

    proptest! {
        #[test]
        fn a_text_without_words_in_braces_stays(text in "[A-Z0-9{} $\"]{0,40}") {
            prop_assert_eq!(replace(&text, |_| None), text);
        }
    }
}
