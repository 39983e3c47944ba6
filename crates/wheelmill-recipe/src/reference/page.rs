//! The reference page of the two files, from their JSON schemas.

use serde_json::{Map, Value};

use super::words::{choices, described, escape, one_line, value_words};
use crate::placeholder;
use crate::schema::{json_schema_project, json_schema_recipe, resolve};

const RECIPE: &str = include_str!("recipe.toml");
const PROJECT: &str = include_str!("project.toml");

/// The reference page, as Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = Page { text: String::new() };
    page.paragraph("# Recipes and the project file");
    page.paragraph("This page is generated from the program; `cargo xtask` writes it.");
    page.paragraph("Both files are TOML. A key that a table does not know is an error.");
    page.paragraph("## Recipe file");
    page.example(RECIPE);
    page.root(&json_schema_recipe());
    page.placeholders();
    page.paragraph("## Project file: `wheelmill.toml`");
    page.example(PROJECT);
    page.root(&json_schema_project());
    page.text.truncate(page.text.trim_end().len());
    page.text.push('\n');
    page.text
}

/// A table inside another, with every heading that it may stand under.
struct Inner<'a> {
    headings: Vec<String>,
    path: String,
    table: &'a Value,
}

struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        self.line(text);
        self.line("");
    }

    fn example(&mut self, text: &str) {
        self.line("```toml");
        self.text.push_str(text);
        self.paragraph("```");
    }

    fn root(&mut self, root: &Value) {
        self.table(root, root, "");
    }

    /// The keys of a table, the words that they take, then the tables in it.
    fn table(&mut self, root: &Value, table: &Value, path: &str) {
        let empty = Map::new();
        let keys = table["properties"].as_object().unwrap_or(&empty);
        let mut inner: Vec<Inner<'_>> = Vec::new();
        self.line("| key | value | meaning |");
        self.line("| --- | --- | --- |");
        for (key, schema) in keys {
            let target = resolve(root, schema);
            let item = resolve(root, &target["items"]);
            let value = value_words(root, schema);
            let meaning = described(schema).or_else(|| described(target)).unwrap_or_default();
            self.line(&format!("| `{key}` | {value} | {} |", escape(&one_line(meaning))));
            let (heading, found) = if target["properties"].is_object() {
                (format!("`[{path}{key}]`"), target)
            } else if item["properties"].is_object() {
                (format!("`[[{path}{key}]]`"), item)
            } else {
                continue;
            };
            match inner.iter_mut().find(|inner| std::ptr::eq(inner.table, found)) {
                Some(same) => same.headings.push(heading),
                None => inner.push(Inner {
                    headings: vec![heading],
                    path: format!("{path}{key}."),
                    table: found,
                }),
            }
        }
        self.line("");
        for (key, schema) in keys {
            self.choices(key, resolve(root, schema));
        }
        for Inner { headings, path, table } in inner {
            self.paragraph(&format!("### {}", headings.join(", ")));
            if let Some(text) = described(table) {
                self.paragraph(&one_line(text));
            }
            self.table(root, table, &path);
        }
    }

    /// What each word means that a key takes.
    fn choices(&mut self, key: &str, schema: &Value) {
        let choices: Vec<(&str, &str)> = choices(schema).collect();
        if choices.is_empty() {
            return;
        }
        self.paragraph(&format!("The words for `{key}`:"));
        for (word, meaning) in choices {
            self.line(&format!("- `{word}`: {}", one_line(meaning)));
        }
        self.line("");
    }

    fn placeholders(&mut self) {
        self.paragraph("### Placeholders");
        self.paragraph(
            "In texts that take them, these words in braces are replaced. Other braces stay; \
             `{{cuda}}` gives the text `{cuda}`.",
        );
        self.line("| placeholder | stands for | where |");
        self.line("| --- | --- | --- |");
        let everywhere = "`build.environment`, `build.requires`, `build.command`, \
                          `wheel.local-label`, `wheel.requires`, `test.requires`";
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

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn the_examples_are_good_files() {
        crate::Recipe::parse(RECIPE, Utf8Path::new("recipe.toml")).unwrap();
        crate::Project::parse(PROJECT, Utf8Path::new("wheelmill.toml")).unwrap();
    }
}
