//! Schemas in words.

use serde_json::Value;

use crate::schema::resolve;

/// What a schema says about itself.
pub(super) fn described(schema: &Value) -> Option<&str> {
    schema["description"].as_str()
}

/// The words that a value may be, with their meanings.
pub(super) fn choices(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    choices.filter_map(|choice| Some((choice["const"].as_str()?, described(choice)?)))
}

/// What may stand behind a key.
pub(super) fn value_words(root: &Value, schema: &Value) -> String {
    let target = resolve(root, schema);
    let words: Vec<String> = choices(target).map(|(word, _)| format!("`{word}`")).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    if let Some(shapes) = target["anyOf"].as_array() {
        let shapes: Vec<String> = shapes.iter().map(|shape| value_words(root, shape)).collect();
        return shapes.join(" or ");
    }
    match target["type"].as_str() {
        Some("array") => format!("list of {}s", value_words(root, &target["items"])),
        Some("object") => "table".to_owned(),
        Some("string") => "text".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        _ => "any".to_owned(),
    }
}

/// A text without its line breaks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A text for a cell of a table.
pub(super) fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
