//! Changes of single values.

use serde_json::Value;

use super::error::{JsonError, place};
use super::reader::read;
use super::style::{Style, leading, line_indent};
use super::tree::{Kind, Member, Node};

/// A byte order mark, which Windows' editors write and `dockerd` takes.
const MARK: &str = "\u{feff}";

/// A JSON file that holds one object, or nothing.
#[derive(Clone, Debug)]
pub struct JsonText {
    mark: bool,
    text: String,
    root: Option<Node>,
}

impl JsonText {
    /// Reads a file's content.
    ///
    /// # Errors
    /// What is wrong, with its line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                return Err(JsonError::at(&good, good.len(), "this is not UTF-8"));
            }
        };
        let (mark, text) = match text.strip_prefix(MARK) {
            Some(text) => (true, text),
            None => (false, text),
        };
        Ok(Self { mark, text: text.to_owned(), root: read(text)? })
    }

    /// The file's content.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mark = if self.mark { MARK } else { "" };
        [mark.as_bytes(), self.text.as_bytes()].concat()
    }

    /// What it says, without what cannot be said otherwise: of big numbers only the nearest.
    #[must_use]
    pub fn value(&self) -> Value {
        let whole = self.root.as_ref().and_then(|root| self.meaning(root));
        whole.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }

    /// The value at a path of keys.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<Value> {
        self.meaning(self.find(path)?)
    }

    /// The value at a path of keys, as it is written.
    #[must_use]
    pub fn written(&self, path: &[&str]) -> Option<&str> {
        Some(&self.text[self.find(path)?.span.clone()])
    }

    /// Whether an object at a path has no keys. One that is not there has none.
    #[must_use]
    pub fn is_empty(&self, path: &[&str]) -> bool {
        match self.find(path) {
            Some(node) => matches!(node.kind, Kind::Object(_)) && node.members().is_empty(),
            None => true,
        }
    }

    /// Writes a value at a path of keys; nothing when it means the same already. Objects on the way
    /// are made. `null` on the way is taken for an object that is not there, as `dockerd` does.
    ///
    /// # Errors
    /// Something else than an object is on the way.
    pub fn set(&mut self, path: &[&str], value: &Value) -> Result<(), JsonError> {
        if self.get(path).as_ref() == Some(value) {
            return Ok(());
        }
        self.put(path, |style, indentation| style.value(value, indentation))
    }

    /// As [`JsonText::set`], with the very bytes that a value was written in before.
    ///
    /// # Errors
    /// As `set`.
    pub fn set_written(&mut self, path: &[&str], written: &str) -> Result<(), JsonError> {
        if self.written(path) == Some(written) {
            return Ok(());
        }
        self.put(path, |_, _| written.to_owned())
    }

    /// Takes a key away, with its comma. One that is not there is no error.
    pub fn remove(&mut self, path: &[&str]) {
        let Some((key, parents)) = path.split_last() else { return };
        let Some(parent) = self.find(parents) else { return };
        let members = parent.members();
        let Some(position) = members.iter().position(|member| member.key == *key) else { return };
        let span = match (position.checked_sub(1), members.get(position + 1)) {
            // What stands between two members goes with the one behind it.
            (Some(before), _) => members[before].value.span.end..members[position].value.span.end,
            (None, Some(next)) => members[position].key_span.start..next.key_span.start,
            (None, None) => parent.span.start + 1..parent.span.end - 1,
        };
        self.replace(span, "");
    }

    fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self.root.as_ref()?, |node, key| Some(&node.member(key)?.value))
    }

    fn meaning(&self, node: &Node) -> Option<Value> {
        serde_json::from_str(&self.text[node.span.clone()]).ok()
    }

    /// Puts a value at a path. `render` gets the layout and the indentation of the value's line.
    fn put(
        &mut self,
        path: &[&str],
        render: impl Fn(&Style, &str) -> String,
    ) -> Result<(), JsonError> {
        let style = Style::of(&self.text, self.root.as_ref());
        let Some(root) = &self.root else {
            let whole = nested(&style, path, "", &render) + style.line_end;
            self.replace(0..self.text.len(), &whole);
            return Ok(());
        };
        let mut node = root;
        for (depth, key) in path.iter().enumerate() {
            let rest = &path[depth + 1..];
            if !matches!(node.kind, Kind::Object(_)) {
                return Err(self.not_an_object(&path[..depth], node));
            }
            let Some(member) = node.member(key) else {
                let (span, text) = self.added(&style, node, key, rest, &render);
                self.replace(span, &text);
                return Ok(());
            };
            node = &member.value;
            if rest.is_empty() || matches!(node.kind, Kind::Null) {
                let indentation = leading(&self.text, node.span.start).to_owned();
                let style = self.style_at(&style, member);
                let text = nested(&style, rest, &indentation, &render);
                self.replace(node.span.clone(), &text);
                return Ok(());
            }
        }
        Ok(())
    }

    /// A member at the end of an object: the bytes that go, and what takes their place.
    fn added(
        &self,
        style: &Style,
        object: &Node,
        key: &str,
        rest: &[&str],
        render: &impl Fn(&Style, &str) -> String,
    ) -> (std::ops::Range<usize>, String) {
        let text = &self.text;
        if let Some(last) = object.members().last() {
            let end = last.value.span.end;
            if let Some(indentation) = line_indent(text, last.key_span.start) {
                let value = nested(style, rest, indentation, render);
                let member = style.member(key, &value);
                return (end..end, format!(",{}{indentation}{member}", style.line_end));
            }
            let style = style.in_one_line();
            let member = style.member(key, &nested(&style, rest, "", render));
            return (end..end, format!(",{}{member}", style.gap));
        }
        let outer = leading(text, object.span.start);
        let Some(step) = &style.indent else {
            let member = style.member(key, &nested(style, rest, "", render));
            return (object.span.clone(), format!("{{{member}}}"));
        };
        let inner = format!("{outer}{step}");
        let member = style.member(key, &nested(style, rest, &inner, render));
        let end = style.line_end;
        (object.span.clone(), format!("{{{end}{inner}{member}{end}{outer}}}"))
    }

    /// The layout for a value that takes another's place: in a line with others it stays in it.
    fn style_at(&self, style: &Style, member: &Member) -> Style {
        match line_indent(&self.text, member.key_span.start) {
            Some(_) => style.clone(),
            None => style.in_one_line(),
        }
    }

    fn not_an_object(&self, path: &[&str], node: &Node) -> JsonError {
        let (line, column) = place(&self.text, node.span.start);
        JsonError::NotAnObject { key: path.join("."), line, column }
    }

    fn replace(&mut self, span: std::ops::Range<usize>, with: &str) {
        self.text.replace_range(span, with);
        self.root = read(&self.text).expect("a change of ours leaves JSON");
    }
}

/// A value inside objects with one key each.
fn nested(
    style: &Style,
    path: &[&str],
    indentation: &str,
    render: &impl Fn(&Style, &str) -> String,
) -> String {
    let Some((key, rest)) = path.split_first() else { return render(style, indentation) };
    let Some(step) = &style.indent else {
        return format!("{{{}}}", style.member(key, &nested(style, rest, "", render)));
    };
    let inner = format!("{indentation}{step}");
    let member = style.member(key, &nested(style, rest, &inner, render));
    let end = style.line_end;
    format!("{{{end}{inner}{member}{end}{indentation}}}")
}
