//! The JSON schemas and the reference page say what the reader takes.

use serde_json::Value;
use wheelmill_recipe::{json_schema_project, json_schema_recipe, reference_markdown};

/// Every key of a schema's tables, and whether it has a description.
fn keys(root: &Value, schema: &Value, path: &str, found: &mut Vec<(String, bool)>) {
    let schema = match schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str()) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        found.push((format!("{path}{key}"), inner["description"].is_string()));
        keys(root, inner, &format!("{path}{key}."), found);
        keys(root, &inner["items"], &format!("{path}{key}."), found);
    }
}

#[test]
fn every_key_is_described_and_stands_on_the_reference_page() {
    let page = reference_markdown();
    for schema in [json_schema_recipe(), json_schema_project()] {
        let mut found = Vec::new();
        keys(&schema, &schema, "", &mut found);
        assert!(found.len() > 20, "{found:?}");
        for (key, described) in found {
            assert!(described, "{key}");
            let last = key.rsplit('.').next().unwrap();
            assert!(page.contains(&format!("| `{last}` |")), "{key}");
        }
    }
}

#[test]
fn the_schema_refuses_unknown_keys_and_asks_for_what_is_needed() {
    let schema = json_schema_recipe();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["name"]));
    let text = schema.to_string();
    assert!(!text.contains("null"), "TOML has no null");
    assert!(text.contains("\"gencode\""));
}
