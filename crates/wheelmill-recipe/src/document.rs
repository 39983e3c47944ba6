//! One TOML text with its file name: reads it, and makes errors that point into it.

use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use miette::NamedSource;
use serde::de::DeserializeOwned;

use crate::error::{Mistake, MistakeKind, RecipeError};
use crate::schema::tables_with;
use crate::suggest::{closest, list_words};

/// A place in the text, in bytes.
pub(crate) type Span = Range<usize>;

/// A text to be read, with the name of its file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) file: Utf8PathBuf,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn new(text: &str, file: &Utf8Path) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// Reads a file.
    pub(crate) fn load(file: &Utf8Path) -> Result<Self, RecipeError> {
        let text = fs_err::read_to_string(file)
            .map_err(|source| RecipeError::Read { file: file.to_owned(), source })?;
        Ok(Self { file: file.to_owned(), text })
    }

    /// The folder that paths in the text are relative to.
    pub(crate) fn folder(&self) -> &Utf8Path {
        self.file.parent().unwrap_or(Utf8Path::new(""))
    }

    /// Reads the text as a table of keys.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, RecipeError> {
        toml::from_str(&self.text).map_err(|error| self.toml_error(&error))
    }

    /// An error about a place in the text.
    pub(crate) fn mistake(
        &self,
        kind: MistakeKind,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) -> RecipeError {
        let start = self.text.floor_char_boundary(span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        RecipeError::Mistake(Box::new(Mistake {
            kind,
            message: message.into(),
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            hint: hint.into(),
            code: NamedSource::new(self.file.as_str(), self.text.clone()),
            span: (start..span.end.clamp(start, self.text.len())).into(),
            label: label.into(),
        }))
    }

    /// An error about keys that do not go together.
    pub(crate) fn combination(
        &self,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) -> RecipeError {
        self.mistake(MistakeKind::Combination, span, message, label, Some(hint.into()))
    }

    /// An error about a value.
    pub(crate) fn wrong_value(
        &self,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) -> RecipeError {
        self.mistake(MistakeKind::Value, span, message, "this value", hint)
    }

    fn toml_error(&self, error: &toml::de::Error) -> RecipeError {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim();
        let written = self.text.get(span.clone()).unwrap_or_default();
        if let Some((found, known)) = rejected_name(message, "unknown field ") {
            let elsewhere = tables_with(&found);
            let hint = match closest(&found, known.iter().map(String::as_str)) {
                Some(close) => format!("did you mean `{close}`?"),
                None if !elsewhere.is_empty() => {
                    format!("`{found}` is a key of {}", list_words(&elsewhere))
                }
                None => format!("the keys here are {}", list_words(&known)),
            };
            let message = format!("`{found}` is not a key that this table knows");
            return self.mistake(MistakeKind::UnknownKey, span, message, "unknown key", Some(hint));
        }
        if let Some((found, known)) = rejected_name(message, "unknown variant ") {
            let hint = match closest(&found, known.iter().map(String::as_str)) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("write one of {}", list_words(&known)),
            };
            return self.wrong_value(span, format!("`{found}` is not a value here"), hint);
        }
        if let Some((found, wanted)) = rejected_value(message, "invalid type: ") {
            let hint = type_hint(self.key_of(&span), written, found, wanted);
            let message = format!("{} is wanted, not {}", in_words(wanted), in_words(found));
            return self.wrong_value(span, message, hint);
        }
        if let Some((_, wanted)) = rejected_value(message, "invalid value: ") {
            let message = format!("{} is wanted, not `{written}`", in_words(wanted));
            return self.wrong_value(span, message, None);
        }
        if let Some(key) = message.strip_prefix("missing field ") {
            let hint = format!("add `{} = …`", key.trim_matches('`'));
            let message = format!("the key {key} is missing");
            return self.combination(span, message, "in this table", hint);
        }
        let kind = match self.text.parse::<toml::Table>() {
            Ok(_) => MistakeKind::Value,
            Err(_) => MistakeKind::Syntax,
        };
        let (message, hint) = match message.split_once(HINT) {
            Some((message, hint)) => (message, Some(hint.to_owned())),
            None => (message, None),
        };
        match kind {
            MistakeKind::Syntax => {
                let message = format!("this is not TOML: {message}");
                self.mistake(kind, span, message, "here", hint)
            }
            _ => self.wrong_value(self.narrowed(span, message), message, hint),
        }
    }

    /// The key that stands before a value in its line.
    fn key_of(&self, value: &Span) -> &str {
        let before = self.text.get(..value.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let key = line.trim_end().strip_suffix('=').unwrap_or_default().trim();
        key.rsplit(['.', '{', ',']).next().unwrap_or_default().trim()
    }

    /// The part of a value that its error names: the one wrong entry of a long list in a text.
    fn narrowed(&self, span: Span, message: &str) -> Span {
        let named = message.split('`').nth(1).unwrap_or_default();
        match self.text.get(span.clone()).and_then(|written| written.find(named)) {
            Some(offset) if !named.is_empty() => {
                let start = span.start + offset;
                start..start + named.len()
            }
            _ => span,
        }
    }
}

/// Parts a message from its hint in the errors of our own value types, which can hand only one
/// text through the reader.
pub(crate) const HINT: &str = "\u{1f}";

/// The name and the known names in serde's "unknown field `x`, expected one of `a`, `b`".
fn rejected_name(message: &str, prefix: &str) -> Option<(String, Vec<String>)> {
    let mut quoted = message.strip_prefix(prefix)?.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((quoted.next()?, quoted.collect()))
}

/// What was found and what was wanted in serde's "invalid type: …, expected …".
fn rejected_value<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(prefix)?.split_once(", expected ")
}

/// What serde calls a type, in the words of somebody who writes TOML.
fn in_words(kind: &str) -> &str {
    let kind = kind.split([' ', ':']).next().filter(|first| FOUND.contains(first)).unwrap_or(kind);
    match kind {
        "a string" | "string" => "a text",
        "a boolean" | "boolean" => "`true` or `false`",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "a table",
        "floating" | "integer" => "a number",
        "a nonzero u32" => "a number above zero",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// What a text, or one for each CUDA release, is called in errors.
pub(crate) const PER_CUDA: &str = "a text, or a table with a text for each CUDA release";

/// How serde's words for what was found begin; the value itself follows.
const FOUND: [&str; 6] = ["string", "boolean", "sequence", "map", "floating", "integer"];

fn type_hint(key: &str, written: &str, found: &str, wanted: &str) -> Option<String> {
    let written = written.trim();
    let short = written.len() <= 60 && !written.contains('\n');
    let is_plain = !found.starts_with("sequence") && !found.starts_with("map");
    match wanted {
        "a string" | "a text, or a list of texts" if short && is_plain => {
            Some(format!("put it in quotes: `\"{written}\"`"))
        }
        "a sequence" if key == "command" => words_hint(written),
        "a sequence" if short => Some(if written.starts_with(['"', '\'']) {
            format!("write it as a list: `[{written}]`")
        } else {
            format!("write it as a list: `[\"{written}\"]`")
        }),
        "a boolean" => Some("write `true` or `false`, without quotes".to_owned()),
        // The one key of this shape whose text is a list is that of architectures.
        PER_CUDA if key == "architectures" && found.starts_with("sequence") => {
            let list = value_of(written)?;
            let texts: Option<Vec<&str>> =
                list.as_array()?.iter().map(toml::Value::as_str).collect();
            Some(format!("write it as one text: `\"{}\"`", texts?.join(";")))
        }
        PER_CUDA if short && is_plain => Some(format!("put it in quotes: `\"{written}\"`")),
        _ => None,
    }
}

/// How a command in one text is written as a list: its words, or a shell for what only a shell
/// understands.
fn words_hint(written: &str) -> Option<String> {
    const SHELL: &[char] =
        &['|', '&', ';', '<', '>', '$', '`', '*', '?', '~', '"', '\'', '\\', '\n', '='];
    let value = value_of(written)?;
    let command = value.as_str()?;
    Some(if command.contains(SHELL) {
        format!("let a shell read it: `[\"sh\", \"-euc\", {written}]`")
    } else {
        let words: Vec<String> =
            command.split_whitespace().map(|word| format!("\"{word}\"")).collect();
        format!("write its words as a list: `[{}]`", words.join(", "))
    })
}

fn value_of(written: &str) -> Option<toml::Value> {
    toml::from_str::<toml::Table>(&format!("value = {written}")).ok()?.remove("value")
}
