//! JSON schemas of the two files, for editors. They come from the comments and types of the tables
//! as written, and so does the reference page.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::written::{ProjectTable, RecipeTable};

/// The schema of a project file.
#[must_use]
pub fn json_schema_project() -> Value {
    schema::<ProjectTable>()
}

/// The schema of a recipe file.
#[must_use]
pub fn json_schema_recipe() -> Value {
    let mut schema = schema::<RecipeTable>();
    // Only in a project file does a recipe have its name elsewhere.
    schema["required"] = Value::from(["name"].map(str::to_owned).to_vec());
    schema
}

/// The tables of both files that have a key: `[source]`, `[[architectures]]`.
pub(crate) fn tables_with(key: &str) -> Vec<String> {
    let mut found = Vec::new();
    for schema in [json_schema_recipe(), json_schema_project()] {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let table = resolve(&schema, inner);
            let item = resolve(&schema, &table["items"]);
            if table["properties"][key].is_object() {
                found.push(format!("[{name}]"));
            } else if item["properties"][key].is_object() {
                found.push(format!("[[{name}]]"));
            }
        }
    }
    found
}

/// Follows a reference to the place where a type is defined.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    match reference.and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

fn schema<T: JsonSchema>() -> Value {
    // Draft 7 is what the TOML servers of editors read.
    let generator = SchemaSettings::draft07().into_generator();
    let mut value = Schema::to_value(generator.into_root_schema_for::<T>());
    plain(&mut value);
    value
}

/// Takes out what TOML does not have (`null`), and the defaults of absent keys, which schemars
/// would give as `null` and empty lists; the comments name the real ones.
fn plain(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("default");
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            object.values_mut().for_each(plain);
        }
        Value::Array(values) => values.iter_mut().for_each(plain),
        _ => {}
    }
}
