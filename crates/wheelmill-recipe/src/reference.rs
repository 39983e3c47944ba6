//! The reference page of the two files, from their JSON schemas.

use serde_json::{Map, Value};

use crate::placeholder;
use crate::schema::{json_schema_project, json_schema_recipe, resolve};

/// The reference page, as Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = Page { text: String::new() };
    page.line("# Recipes and the project file");
    page.line("");
    page.line("This page is generated from the program; `cargo xtask` writes it.");
    page.line("");
    page.line("Both files are TOML. A key that a table does not know is an error.");
    page.line("");
    page.line("## Recipe file");
    page.line("");
    page.tables(&json_schema_recipe(), "");
    page.placeholders();
    page.line("## Project file: `wheelmill.toml`");
    page.line("");
    page.tables(&json_schema_project(), "");
    page.text.truncate(page.text.trim_end().len());
    page.text.push('\n');
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The keys of a table, then those of the tables in it.
    fn tables(&mut self, root: &Value, path: &str) {
        let table = resolve(root, root);
        self.table(root, table, path);
    }

    fn table(&mut self, root: &Value, table: &Value, path: &str) {
        let empty = Map::new();
        let keys = table["properties"].as_object().unwrap_or(&empty);
        let mut inner = Vec::new();
        self.line("| key | value | meaning |");
        self.line("| --- | --- | --- |");
        for (key, schema) in keys {
            let target = resolve(root, schema);
            let item = resolve(root, &target["items"]);
            let name = format!("{path}{key}");
            let value = value_words(root, schema);
            let meaning = described(schema).or_else(|| described(target)).unwrap_or_default();
            self.line(&format!("| `{key}` | {value} | {} |", escape(&one_line(meaning))));
            // The keys of a recipe stand in the recipe's own section.
            if target["properties"].is_object() {
                inner.push((format!("[{name}]"), format!("{name}."), target));
            } else if item["properties"].is_object() {
                inner.push((format!("[[{name}]]"), format!("{name}."), item));
            }
        }
        self.line("");
        for (heading, path, table) in inner {
            self.line(&format!("### `{heading}`"));
            self.line("");
            if let Some(text) = described(table) {
                self.line(&one_line(text));
                self.line("");
            }
            self.table(root, table, &path);
        }
    }

    fn placeholders(&mut self) {
        self.line("### Placeholders");
        self.line("");
        self.line(
            "In texts that take them, these words in braces are replaced. Other braces stay; \
             `{{cuda}}` gives the text `{cuda}`.",
        );
        self.line("");
        self.line("| placeholder | stands for | where |");
        self.line("| --- | --- | --- |");
        let everywhere = "`build.environment`, `build.requires`, `build.command`";
        let rows = placeholder::CELL.iter().map(|row| (row, everywhere)).chain([
            (&placeholder::VERSION, "`source.revision`, `source.url`"),
            (&placeholder::OUT, "`build.command`"),
            (&placeholder::ARCHS, "`architectures.template`"),
        ]);
        for ((name, meaning), place) in rows {
            self.line(&format!("| `{{{name}}}` | {meaning} | {place} |"));
        }
        self.line("");
    }
}

fn described(schema: &Value) -> Option<&str> {
    schema["description"].as_str()
}

/// What may stand behind a key, in words.
fn value_words(root: &Value, schema: &Value) -> String {
    let target = resolve(root, schema);
    if let Some(choices) = target["oneOf"].as_array().or_else(|| target["anyOf"].as_array()) {
        let words: Vec<String> = choices
            .iter()
            .map(|choice| match choice["const"].as_str() {
                Some(word) => format!("`{word}`"),
                None => value_words(root, choice),
            })
            .collect();
        return words.join(", or ");
    }
    if let Some(words) = target["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", or ");
    }
    match target["type"].as_str() {
        Some("array") => format!("list of {}", plural(&value_words(root, &target["items"]))),
        Some("object") => "table".to_owned(),
        Some("string") => "text".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        _ => "any".to_owned(),
    }
}

fn plural(word: &str) -> String {
    if word.ends_with('`') { word.to_owned() } else { format!("{word}s") }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
