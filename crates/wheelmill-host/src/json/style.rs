//! How a file is laid out, and new values in the same way.

use serde_json::Value;

use super::tree::Node;

/// The layout of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// `\n` or `\r\n`.
    pub(super) line_end: &'static str,
    /// One step of indentation; none where the file is one line.
    pub(super) indent: Option<String>,
    /// Between a key and its value: `: `.
    pub(super) colon: String,
    /// Behind a comma within a line.
    pub(super) gap: String,
}

impl Style {
    /// As most files are.
    fn usual() -> Self {
        Self {
            line_end: "\n",
            indent: Some("  ".to_owned()),
            colon: ": ".to_owned(),
            gap: " ".to_owned(),
        }
    }

    /// That of a file, from its first members.
    pub(super) fn of(text: &str, root: Option<&Node>) -> Self {
        let usual = Self::usual();
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let Some((root, members)) = root.map(|root| (root, root.members())) else {
            return Self { line_end, ..usual };
        };
        let [first, others @ ..] = members else { return Self { line_end, ..usual } };
        let colon = &text[first.key_span.end..first.value.span.start];
        let colon = if colon.contains('\n') { ": " } else { colon };
        let indent = line_indent(text, first.key_span.start).map(|own| {
            let base = line_indent(text, root.span.start).unwrap_or_default();
            let step = own.strip_prefix(base).filter(|step| !step.is_empty());
            step.unwrap_or("  ").to_owned()
        });
        let gap = others.first().and_then(|second| {
            let between = &text[first.value.span.end..second.key_span.start];
            let behind = between.split_once(',')?.1;
            (!behind.contains('\n')).then(|| behind.to_owned())
        });
        let gap = gap.unwrap_or_else(|| if colon.ends_with(' ') { " " } else { "" }.to_owned());
        Self { line_end, indent, colon: colon.to_owned(), gap }
    }

    /// This layout within one line.
    pub(super) fn in_one_line(&self) -> Self {
        Self { indent: None, ..self.clone() }
    }

    /// A key with a value, as they follow on an indentation.
    pub(super) fn member(&self, key: &str, value: &str) -> String {
        format!("{}{}{value}", Value::from(key), self.colon)
    }

    /// A value whose first line stands on an indentation.
    pub(super) fn value(&self, value: &Value, indentation: &str) -> String {
        let deeper =
            self.indent.as_ref().map(|step| format!("{indentation}{step}")).unwrap_or_default();
        let list = |open: char, items: Vec<String>, close: char| match &self.indent {
            _ if items.is_empty() => format!("{open}{close}"),
            None => format!("{open}{}{close}", items.join(&format!(",{}", self.gap))),
            Some(_) => {
                let line = format!("{}{deeper}", self.line_end);
                let items = items.join(&format!(",{line}"));
                format!("{open}{line}{items}{}{indentation}{close}", self.line_end)
            }
        };
        match value {
            Value::Object(members) => {
                let written = members
                    .iter()
                    .map(|(key, value)| self.member(key, &self.value(value, &deeper)));
                list('{', written.collect(), '}')
            }
            Value::Array(items) => {
                list('[', items.iter().map(|item| self.value(item, &deeper)).collect(), ']')
            }
            plain => plain.to_string(),
        }
    }
}

/// The white space at the beginning of the line, where nothing else stands before an offset.
pub(super) fn line_indent(text: &str, offset: usize) -> Option<&str> {
    let start = text[..offset].rfind('\n')? + 1;
    let before = &text[start..offset];
    before.bytes().all(|byte| matches!(byte, b' ' | b'\t')).then_some(before)
}

/// The white space that the line of an offset begins with.
pub(super) fn leading(text: &str, offset: usize) -> &str {
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..offset];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
