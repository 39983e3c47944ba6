//! Files of `daemon.json` as they are found: each comes out changed only where asked.

use proptest::prelude::*;
use serde_json::{Value, json};
use wheelmill_host::json::JsonText;

const RUNTIME: &[&str] = &["runtimes", "nvidia", "path"];

/// The file after the runtime was registered and CDI switched on.
fn changed(file: &str) -> String {
    let mut text = JsonText::parse(file.as_bytes()).expect("it is JSON");
    let mut change = || {
        text.set(RUNTIME, &json!("/usr/bin/nvidia-container-runtime")).expect("it is an object");
        text.set(&["features", "cdi"], &json!(true)).expect("it is an object");
        text.bytes()
    };
    let once = change();
    assert_eq!(change(), once, "a second time changes nothing");
    String::from_utf8(once).expect("it is text")
}

#[test]
fn what_is_there_stays_byte_for_byte() {
    let file = r#"{
    "log-opts": {"max-size": "10m",   "labels": "a<b>\u0026c"},
    "x-corp": {"id": 12345678901234567890123, "ratio": 1.50e+3},
    "runtimes": {
        "nvidia": {
            "path": "nvidia-container-runtime",
            "args": ["--debug"]
        },
        "kata": { "runtimeType": "io.containerd.kata.v2" }
    },
    "features": { "containerd-snapshotter": true }
}"#;
    let wanted = file
        .replace("\"nvidia-container-runtime\"", "\"/usr/bin/nvidia-container-runtime\"")
        .replace("snapshotter\": true }", "snapshotter\": true, \"cdi\": true }");
    assert_eq!(changed(file), wanted);
}

#[test]
fn tabs_and_ends_of_lines_and_a_mark_are_kept() {
    assert_eq!(
        changed("\u{feff}{\r\n\t\"debug\" : true\r\n}\r\n"),
        "\u{feff}{\r\n\t\"debug\" : true,\r\n\t\"runtimes\" : {\r\n\t\t\"nvidia\" : {\r\n\t\t\t\
         \"path\" : \"/usr/bin/nvidia-container-runtime\"\r\n\t\t}\r\n\t},\r\n\t\"features\" : \
         {\r\n\t\t\"cdi\" : true\r\n\t}\r\n}\r\n"
    );
}

#[test]
fn a_file_of_one_line_stays_one() {
    assert_eq!(
        changed(r#"{"debug":true,"runtimes":{}}"#),
        r#"{"debug":true,"runtimes":{"nvidia":{"path":"/usr/bin/nvidia-container-runtime"}},"features":{"cdi":true}}"#
    );
    assert_eq!(
        changed(r#"{"debug": true, "features": {"buildkit": true}}"#),
        r#"{"debug": true, "features": {"buildkit": true, "cdi": true}, "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}}"#
    );
}

#[test]
fn nothing_and_null_are_taken_for_empty_objects() {
    let whole = "{\n  \"runtimes\": {\n    \"nvidia\": {\n      \"path\": \"/usr/bin/nvidia-container-runtime\"\n    }\n  },\n  \"features\": {\n    \"cdi\": true\n  }\n}";
    assert_eq!(changed(""), format!("{whole}\n"));
    assert_eq!(changed("\n\n"), format!("{whole}\n"));
    assert_eq!(changed("\u{feff}"), format!("\u{feff}{whole}\n"));
    assert_eq!(changed("{}"), whole);
    assert_eq!(changed("{\n}\n"), format!("{whole}\n"));
    assert_eq!(changed("{\n  \"runtimes\": null,\n  \"features\": {}\n}"), whole);
}

#[test]
fn lists_and_objects_are_laid_out_as_the_file_is() {
    let mut text = JsonText::parse(b"{\n\t\"debug\": true\n}").unwrap();
    text.set(&["default-address-pools"], &json!([{"base": "10.201.0.0/16", "size": 24}])).unwrap();
    assert_eq!(
        String::from_utf8(text.bytes()).unwrap(),
        "{\n\t\"debug\": true,\n\t\"default-address-pools\": [\n\t\t{\n\t\t\t\"base\": \
         \"10.201.0.0/16\",\n\t\t\t\"size\": 24\n\t\t}\n\t]\n}"
    );
}

#[test]
fn what_was_added_can_be_taken_away() {
    for file in [
        "{\n  \"debug\": true\n}",
        "{\"debug\":true}",
        "{\r\n\t\"debug\" : true\r\n\r\n}\r\n",
        "{ \"debug\": true, \"x\": [1, 2] }",
    ] {
        let mut text = JsonText::parse(changed(file).as_bytes()).unwrap();
        text.remove(&["runtimes"]);
        text.remove(&["features"]);
        assert_eq!(String::from_utf8(text.bytes()).unwrap(), file);
    }
    let mut text = JsonText::parse(b"{\n  \"bip\": \"\",\n  \"debug\": true\n}").unwrap();
    text.remove(&["bip"]);
    text.remove(&["none", "at", "all"]);
    assert_eq!(text.bytes(), b"{\n  \"debug\": true\n}");
    text.remove(&["debug"]);
    assert_eq!(text.bytes(), b"{}");
}

#[test]
fn something_else_in_the_way_is_not_overwritten() {
    let mut text = JsonText::parse(b"{\n  \"runtimes\": [\"nvidia\"]\n}").unwrap();
    let error = text.set(RUNTIME, &json!("x")).unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 15: `runtimes` is not an object");
    assert_eq!(text.bytes(), b"{\n  \"runtimes\": [\"nvidia\"]\n}");
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let error = JsonText::parse(b"{\n  \"labels\": [\"gr\xfcn\"]\n}").unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 17: this is not UTF-8");
}

/// White space as people and programs leave it.
fn space() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "", " ", "\n", "\r\n", "\n  ", "\n\t", "  ", "\n\n    "])
        .prop_map(str::to_owned)
}

/// A value as it may be written.
fn written() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-1.50E+2",
        "123456789012345678901234",
        "\"\"",
        "\"a\\u003cb\"",
        "\"\\\"{\"",
        "\"é\"",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 20, 4, |inner| {
        let items = prop::collection::vec((space(), inner.clone(), space()), 0..3);
        let list = items.prop_map(|items| {
            let items: Vec<String> =
                items.into_iter().map(|(before, item, after)| before + &item + &after).collect();
            format!("[{}]", items.join(","))
        });
        prop_oneof![list, object(inner)]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let keys = vec!["runtimes", "nvidia", "features", "x", "bip"];
    let keys = prop::sample::subsequence(keys, 0..4).prop_shuffle();
    let values = prop::collection::vec((space(), space(), space(), value, space()), 4);
    (keys, values, space()).prop_map(|(keys, values, end)| {
        let members: Vec<String> = keys
            .iter()
            .zip(values)
            .map(|(key, (before, colon, behind, value, after))| {
                format!("{before}\"{key}\"{colon}:{behind}{value}{after}")
            })
            .collect();
        let end = if members.is_empty() { end } else { String::new() };
        format!("{{{}{end}}}", members.join(","))
    })
}

/// How many bytes two texts share at their beginnings and, beyond those, at their ends.
fn shared(one: &[u8], other: &[u8]) -> usize {
    let start = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[start..], &other[start..]);
    start + one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
}

proptest! {
    #[test]
    fn any_file_is_changed_only_where_asked(
        file in object(written()),
        path in prop::sample::select(vec![
            vec!["runtimes", "nvidia", "path"],
            vec!["features", "cdi"],
            vec!["bip"],
        ]),
        value in prop::sample::select(vec![
            json!(true), json!("10.0.0.1/24"), json!([{"base": "10.0.0.0/8", "size": 24}]),
        ]),
    ) {
        let before = JsonText::parse(file.as_bytes()).unwrap();
        let mut after = before.clone();
        if after.set(&path, &value).is_err() {
            prop_assert_eq!(after.bytes(), file.as_bytes());
            return Ok(());
        }
        let bytes = after.bytes();
        // It is read by others, and says what was asked for.
        let meaning: Value = serde_json::from_slice(&bytes).unwrap();
        let found = path.iter().fold(&meaning, |value, key| &value[*key]);
        prop_assert_eq!(found, &value);
        // Once is enough.
        let mut twice = JsonText::parse(&bytes).unwrap();
        twice.set(&path, &value).unwrap();
        prop_assert_eq!(twice.bytes(), &bytes[..]);
        // Everything outside the place is there as it was. A `null` on the way makes room for an
        // object, and an empty object is opened up.
        let replaced = (0..=path.len())
            .map(|depth| &path[..depth])
            .filter(|place| place.len() == path.len() || before.is_empty(place)
                || before.get(place) == Some(Value::Null))
            .filter_map(|place| before.written(place).map(str::len))
            .max();
        prop_assert!(shared(file.as_bytes(), &bytes) + replaced.unwrap_or(0) >= file.len());
        // And what was added goes again.
        if before.written(&path[..1]).is_none() && before.value() != json!({}) {
            after.remove(&path[..1]);
            prop_assert_eq!(String::from_utf8(after.bytes()).unwrap(), file);
        }
    }
}
