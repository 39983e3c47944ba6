//! The `Name: value` form that METADATA and WHEEL share.

/// The fields of a text up to its first empty line, in order.
#[derive(Debug, Default)]
pub(super) struct Headers {
    fields: Vec<(String, String)>,
    /// The lines that are neither a field nor a continuation.
    pub(super) strange: Vec<String>,
}

impl Headers {
    pub(super) fn read(text: &str) -> Self {
        let mut headers = Self::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            // A line of blanks is no end: it continues a folded value, as in a long `License`.
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t'])
                && let Some((_, value)) = headers.fields.last_mut()
            {
                value.push('\n');
                value.push_str(line.trim());
                continue;
            }
            match line.split_once(':') {
                Some((name, value)) if is_name(name) => {
                    headers.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                _ => headers.strange.push(line.chars().take(80).collect()),
            }
        }
        headers
    }

    /// The values of a field, in order. Names are compared without case.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a field.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_blanks_in_a_folded_value_hides_nothing_behind_it() {
        let text = "Name: x\nLicense: MIT\n        \n        All rights\nRequires-Dist: torch\n\nBody: y\n";
        let headers = Headers::read(text);
        assert_eq!(headers.first("license"), Some("MIT\n\nAll rights"));
        assert_eq!(headers.first("requires-dist"), Some("torch"));
        assert_eq!(headers.first("body"), None, "an empty line ends the fields");
        assert!(headers.strange.is_empty());
    }
}
