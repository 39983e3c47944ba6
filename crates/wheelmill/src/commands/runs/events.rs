//! What happened in an attempt, as `runs show --verbose` tells it.

use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;
use wheelmill_store::AttemptDetail;

use crate::output::{Page, human};

/// Adds a paragraph for each event: when it was, what it was, and its details, a line each.
pub(super) fn add(page: &mut Page, attempt: &AttemptDetail) {
    for event in &attempt.events {
        let at = human::duration(human::between(attempt.started_at, event.at));
        page.quote(&format!("{} after {at}", event.kind));
        match &event.detail {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| add_value(page, name, value));
            }
            other => add_value(page, "", other),
        }
    }
}

/// Adds a value behind its name; one that is a list of objects has a line for each of them.
fn add_value(page: &mut Page, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        // The summary says it shortly, and `--json` in full.
        Value::Array(_) if name == "coverage" => {}
        Value::Array(items) if items.iter().all(is_check) => {
            items.iter().for_each(|item| add_line(page, "", &check(item)));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| add_line(page, name, &line(item)));
        }
        Value::Array(words) if name == "command" => {
            let words: Vec<String> = words.iter().map(line).collect();
            add_line(page, name, &human::command(&words));
        }
        other => add_line(page, name, &line(other)),
    }
}

/// A check of the machine, or a finding about a wheel.
fn is_check(value: &Value) -> bool {
    value["code"].is_string() && value["message"].is_string()
}

/// `disk: 31 GiB are free`, `memory, warning: …`: what is in order needs no word.
fn check(value: &Value) -> String {
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let grave = [text("state"), text("severity")].into_iter().find(|it| !it.is_empty());
    let grave = grave.filter(|word| *word != "ok").map(|word| format!(", {word}"));
    format!("{}{}: {}", text("code"), grave.unwrap_or_default(), text("message"))
}

/// Scripts are several lines.
fn add_line(page: &mut Page, name: &str, text: &str) {
    let separator = if name.is_empty() { "" } else { ": " };
    for (index, text) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        page.quote(&match index {
            0 => format!("  {name}{separator}{text}"),
            _ => format!("    {text}"),
        });
    }
}

/// A value in one line: `code disk, state ok, message 31 GiB are free`.
fn line(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => joined(items.iter().map(line).collect()),
        Value::Object(members) => match Duration::deserialize(value) {
            Ok(time) => human::duration(time),
            Err(_) => joined(
                members
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| format!("{name} {}", line(value)))
                    .collect(),
            ),
        },
        other => other.to_string(),
    }
}
