//! What a verdict that was kept says of the checks that could not be made.

use serde_json::Value;
use wheelmill_wheel::NotChecked;

/// The checks that a kept verdict names as not made; none where it is of a form that is not known.
#[must_use]
pub fn not_checked(verdict: &Value) -> Vec<NotChecked> {
    let text = |check: &Value, name: &str| check.get(name)?.as_str().map(str::to_owned);
    let checks = verdict.get("not-checked").and_then(Value::as_array).into_iter().flatten();
    checks
        .filter_map(|check| {
            Some(NotChecked { what: text(check, "what")?, why: text(check, "why")? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_checked_is_read_as_it_was_written() {
        let check = NotChecked { what: "import".to_owned(), why: "no module is named".to_owned() };
        let verdict = json!({ "passed": true, "not-checked": [check] });
        assert_eq!(not_checked(&verdict), [check]);
        assert_eq!(not_checked(&json!({ "summary": "sm_90 natively" })), []);
    }
}
